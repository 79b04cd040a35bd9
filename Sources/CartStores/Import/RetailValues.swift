/// A decimal number as text, read exactly: no binary fraction ever stands for a price.
struct RetailNumber {
  /// Greater than 0, however little.
  let isPositive: Bool
  /// Hundredths, half rounded up; `nil` where negative or beyond Int.
  let pence: Int?

  /// Reads `-`, digits, and a point with digits; `nil` for anything else.
  init?(price text: String) {
    var rest = text.utf8[...]
    let isNegative = rest.first == UInt8(ascii: "-")
    if isNegative { rest = rest.dropFirst() }
    let parts = rest.split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
    guard let whole = parts.first, Self.areDigits(whole), parts.count == 1 || Self.areDigits(parts[1]) else {
      return nil
    }
    let decimals = (parts.count == 2 ? Array(parts[1].prefix(3)) : []) + Array("000".utf8)
    let isZero = rest.allSatisfy { $0 == UInt8(ascii: "0") || $0 == UInt8(ascii: ".") }
    isPositive = !isNegative && !isZero
    let hundredths = String(decoding: whole, as: UTF8.self) + String(decoding: decimals.prefix(2), as: UTF8.self)
    let isRoundedUp = decimals[2] >= UInt8(ascii: "5")
    pence = isNegative ? nil : Int(hundredths).flatMap { $0 < .max ? $0 + (isRoundedUp ? 1 : 0) : nil }
  }

  /// Whether an integer, of however many digits, is greater than 0; `nil` for anything else.
  static func isPositive(integer text: String) -> Bool? {
    let isNegative = text.utf8.first == UInt8(ascii: "-")
    let digits = isNegative ? text.utf8.dropFirst() : text.utf8[...]
    guard areDigits(digits) else { return nil }
    return !isNegative && digits.contains { $0 != UInt8(ascii: "0") }
  }

  /// Without white space at its ends.
  static func trimmed(_ text: String) -> String {
    var rest = text.unicodeScalars[...]
    while let first = rest.first, first.properties.isWhitespace { rest.removeFirst() }
    while let last = rest.last, last.properties.isWhitespace { rest.removeLast() }
    return String(rest)
  }

  private static func areDigits(_ text: Substring.UTF8View) -> Bool {
    !text.isEmpty && text.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
  }
}

/// A moment as the data set writes it, without a time zone: good for comparing alone.
struct RetailDate: Comparable {
  /// The digits of year, month, day, hour, minute and second.
  private let digits: Int

  /// Reads `2010-12-01 08:26:00` or `12/1/2010 8:26`, seconds there or not; `nil` for anything else.
  init?(_ text: String) {
    let halves = text.split(separator: " ", omittingEmptySubsequences: false)
    guard halves.count == 2 else { return nil }
    let isAmerican = halves[0].contains("/")
    guard let day = Self.numbers(halves[0], separator: isAmerican ? "/" : "-"), day.count == 3,
      let time = Self.numbers(halves[1], separator: ":"), time.count == 2 || time.count == 3
    else { return nil }
    let (year, month, dayOfMonth) = isAmerican ? (day[2], day[0], day[1]) : (day[0], day[1], day[2])
    let second = time.count == 3 ? time[2] : 0
    guard (1900...9999).contains(year), (1...12).contains(month), (1...31).contains(dayOfMonth),
      time[0] < 24, time[1] < 60, second < 60
    else { return nil }
    digits = ((((year * 100 + month) * 100 + dayOfMonth) * 100 + time[0]) * 100 + time[1]) * 100 + second
  }

  static func < (left: Self, right: Self) -> Bool { left.digits < right.digits }

  private static func numbers(_ text: Substring, separator: Character) -> [Int]? {
    var numbers: [Int] = []
    for part in text.split(separator: separator, omittingEmptySubsequences: false) {
      guard (1...4).contains(part.utf8.count),
        part.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let number = Int(part)
      else { return nil }
      numbers.append(number)
    }
    return numbers
  }
}
