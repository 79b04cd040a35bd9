import CartDomain
import Testing

/// Identifiers, currencies, money and times.
@Suite struct Values {
  @Test(arguments: [
    "A", "a b", "a/b", "a//b", "/a", "a/", "...", "..a", "50%", "用户", "🎁", "#v", "\"", "\\", "a\u{AD}b",
    String(repeating: "x", count: 64),
  ])
  func whatIsASKU(text: String) throws { #expect(try sku(text).text == text) }

  @Test(arguments: [
    "", " a", "a ", "\u{A0}a", "a\u{3000}", ".", "..", "a/..", "./a", "a/./b", "a\nb", "a\u{0}", "a\u{7F}", "a\u{85}b",
    "a\u{2028}b", String(repeating: "x", count: 65), String(repeating: "é", count: 33),
  ])
  func whatIsNone(text: String) { #expect(SKU(text) == nil) }

  @Test func identifiersCompareTheirBytes() throws {
    let composed = try sku("\u{E9}")
    let decomposed = try sku("e\u{301}")
    #expect(composed != decomposed)
    #expect(Set([composed, decomposed]).count == 2)
    #expect(decomposed < composed)
    #expect(try sku("a") != sku("A"))
  }

  @Test func ownersAreReadAsOperatorsWriteThem() throws {
    let guest = String(repeating: "a", count: 22)
    #expect(CartOwner("user:u:1")?.id == "u:1")
    #expect(CartOwner("guest:\(guest).mac")?.id == guest)
    #expect(CartOwner("guest:\(guest)")?.isGuest == true)
    for text in ["", "user:", "user:a\nb", "guest:", "guest:short", "guest:\(guest)!", "u", "User:u"] {
      #expect(CartOwner(text) == nil, "\(text)")
    }
    #expect(UserID(String(repeating: "x", count: 128)) != nil)
    #expect(UserID(String(repeating: "x", count: 129)) == nil)
    #expect(UserID(" u ") != nil)
  }

  @Test(arguments: [("GBP", 2), ("JPY", 0), ("BHD", 3), ("CLF", 4), ("EUR", 2), ("ISK", 0)])
  func currenciesKnowTheirMinorUnit(code: String, minorUnit: Int) throws {
    #expect(try currency(code).minorUnit == minorUnit)
  }

  @Test(arguments: ["", "gbp", "XXX", "GB", "GBPX", "DEM", "ЕUR"])
  func whatIsNoCurrency(code: String) { #expect(Currency(code) == nil) }

  @Test(
    arguments: [
      ("1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z"),
      ("2026-11-22T10:00:00Z", 1_795_341_600_000, "2026-11-22T10:00:00Z"),
      ("2000-02-29T23:59:60Z", 951_868_799_000, "2000-02-29T23:59:59Z"),
      ("2024-02-29T12:00:00.1239+01:00", 1_709_204_400_123, "2024-02-29T11:00:00Z"),
      ("9999-12-31t23:59:59z", 253_402_300_799_000, "9999-12-31T23:59:59Z"),
      ("1970-01-01 05:30:00.5+05:30", 500, "1970-01-01T00:00:00Z"),
      ("2026-03-01T00:00:00-00:30", 1_772_325_000_000, "2026-03-01T00:30:00Z"),
    ] as [(String, Int64, String)])
  func timesAreReadAndWritten(text: String, milliseconds: Int64, written: String) throws {
    let time = try #require(Timestamp(rfc3339: text))
    #expect(time.milliseconds == milliseconds)
    #expect(time.rfc3339 == written)
  }

  @Test(arguments: [
    "", "2026-11-22", "2026-11-22T10:00Z", "2026-11-22T10:00:00", "2026-02-29T00:00:00Z", "1900-02-29T00:00:00Z",
    "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-04-31T00:00:00Z", "2026-01-01T24:00:00Z",
    "2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z", "1969-12-31T23:59:59Z", "2026-01-01T00:00:00.Z",
    "2026-01-01T00:00:00Zx", "2026-01-01T00:00:00+24:00", "+026-01-01T00:00:00Z", "2026-01-01T00:00:00+1:00",
  ])
  func whatIsNoTime(text: String) { #expect(Timestamp(rfc3339: text) == nil) }

  @Test func everyDayComesBack() throws {
    for day in stride(from: Int64(0), through: 2_932_896, by: 97) {
      let time = Timestamp(seconds: day * 86_400 + 86_399)
      #expect(Timestamp(rfc3339: time.rfc3339) == time)
    }
    #expect(Timestamp(milliseconds: -1).seconds == -1)
    #expect(Timestamp(milliseconds: 1_999).seconds == 1)
  }
}
