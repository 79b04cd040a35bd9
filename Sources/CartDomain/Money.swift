/// A currency of ISO 4217: its three letters and the number of decimals of its minor unit.
package struct Currency: Hashable, Sendable {
  /// Three upper-case letters, e.g. `GBP`.
  package let code: String
  /// Decimals of the minor unit: 2 for GBP, 0 for JPY, 3 for KWD.
  package let minorUnit: Int

  /// `nil` if `code` is not an active code of ISO 4217.
  package init?(_ code: String) {
    guard code.utf8.count == 3, Self.twoDecimals.contains(code) || Self.otherDecimals[code] != nil else { return nil }
    self.code = code
    self.minorUnit = Self.otherDecimals[code] ?? 2
  }

  private static let otherDecimals: [String: Int] = [
    "BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0, "RWF": 0, "UGX": 0,
    "UYI": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
    "BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
    "CLF": 4, "UYW": 4,
  ]

  private static let twoDecimals = Set(
    """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF \
    CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF \
    IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN \
    MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS \
    SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG
    """.split(separator: " ").map(String.init))
}

/// An amount in the minor unit of its currency. Never a floating-point number.
package struct Money: Hashable, Sendable {
  /// The most that a total may be, 2⁵³−1: the largest integer that every JSON reader keeps.
  package static let maximumTotal: Int64 = 9_007_199_254_740_991

  package let minorUnits: Int64
  package let currency: Currency

  package init(minorUnits: Int64, currency: Currency) {
    self.minorUnits = minorUnits
    self.currency = currency
  }
}
