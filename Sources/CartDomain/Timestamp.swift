/// A moment, in milliseconds since 1970-01-01T00:00:00Z.
package struct Timestamp: Hashable, Comparable, Sendable {
  package let milliseconds: Int64

  package init(milliseconds: Int64) { self.milliseconds = milliseconds }
  package init(seconds: Int64) { self.milliseconds = seconds &* 1000 }

  /// Whole seconds, rounded down.
  package var seconds: Int64 {
    milliseconds >= 0 ? milliseconds / 1000 : (milliseconds - 999) / 1000
  }

  package static func < (left: Timestamp, right: Timestamp) -> Bool { left.milliseconds < right.milliseconds }

  package func adding(milliseconds more: Int64) -> Timestamp {
    Timestamp(milliseconds: milliseconds.addingReportingOverflow(more).partialValue)
  }

  /// `2026-11-22T10:00:00Z`: UTC, whole seconds.
  package var rfc3339: String {
    var bytes: [UInt8] = []
    appendRFC3339(to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Appends ``rfc3339`` as ASCII.
  package func appendRFC3339(to bytes: inout [UInt8]) {
    let text = rfc3339Bytes
    for index in text.indices { bytes.append(text[index]) }
  }

  /// ``rfc3339`` as ASCII.
  package var rfc3339Bytes: InlineArray<20, UInt8> {
    let second = seconds
    let day = second >= 0 ? second / 86_400 : (second - 86_399) / 86_400
    let rest = UInt32(truncatingIfNeeded: second - day * 86_400)
    let (year, month, dayOfMonth) = Self.civil(fromDay: day)
    var text = InlineArray<20, UInt8>(repeating: UInt8(ascii: "-"))
    func put(_ value: UInt32, at index: Int) {
      text[index] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / 10 % 10)
      text[index + 1] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value % 10)
    }
    let fullYear = UInt32(truncatingIfNeeded: year)
    put(fullYear / 100, at: 0)
    put(fullYear, at: 2)
    put(UInt32(month), at: 5)
    put(UInt32(dayOfMonth), at: 8)
    text[10] = UInt8(ascii: "T")
    put(rest / 3600, at: 11)
    text[13] = UInt8(ascii: ":")
    put(rest / 60 % 60, at: 14)
    text[16] = UInt8(ascii: ":")
    put(rest % 60, at: 17)
    text[19] = UInt8(ascii: "Z")
    return text
  }

  /// Reads a date-time of RFC 3339, with any offset and an optional fraction (cut to milliseconds); `nil` for anything
  /// else, for a day that does not exist, and outside the years 1970–9999.
  package init?(rfc3339 text: String) {
    var reader = DigitReader(Array(text.utf8))
    guard let year = reader.number(4), reader.skip("-"), let month = reader.number(2), reader.skip("-"),
      let day = reader.number(2), reader.skip("T") || reader.skip("t") || reader.skip(" "),
      let hour = reader.number(2), reader.skip(":"), let minute = reader.number(2), reader.skip(":"),
      let second = reader.number(2), let fraction = reader.fraction(), let offset = reader.offset(), reader.isAtEnd,
      (1970...9999).contains(year), (1...12).contains(month), day >= 1, day <= Self.days(inMonth: month, year: year),
      hour < 24, minute < 60, second <= 60
    else { return nil }
    let days = Self.day(year: Int64(year), month: month, day: day)
    let total = days * 86_400 + Int64(hour * 3600 + minute * 60 + min(second, 59)) - Int64(offset)
    self.init(milliseconds: total * 1000 + Int64(fraction))
  }

  private static func days(inMonth month: Int, year: Int) -> Int {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  // Both follow Howard Hinnant's "chrono-compatible low-level date algorithms": years begin in March, so that the leap
  // day is the last of its year.
  private static func day(year: Int64, month: Int, day: Int) -> Int64 {
    let shifted = month <= 2 ? year - 1 : year
    let era = (shifted >= 0 ? shifted : shifted - 399) / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = Int64((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1)
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  private static func civil(fromDay day: Int64) -> (year: Int64, month: Int, day: Int) {
    let shifted = day + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let month = Int(shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9)
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, Int(dayOfYear - (153 * shiftedMonth + 2) / 5 + 1))
  }
}

/// Reads fixed-width decimal fields.
private struct DigitReader {
  private let bytes: [UInt8]
  private var position = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var isAtEnd: Bool { position == bytes.count }

  mutating func number(_ width: Int) -> Int? {
    guard position + width <= bytes.count else { return nil }
    var value = 0
    for byte in bytes[position..<position + width] {
      guard (48...57).contains(byte) else { return nil }
      value = value * 10 + Int(byte - 48)
    }
    position += width
    return value
  }

  mutating func skip(_ character: Unicode.Scalar) -> Bool {
    guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  /// Milliseconds; 0 if there is no fraction, `nil` if a point has no digit behind it.
  mutating func fraction() -> Int? {
    guard skip(".") else { return 0 }
    var value = 0
    var digits = 0
    while position < bytes.count, (48...57).contains(bytes[position]) {
      if digits < 3 { value = value * 10 + Int(bytes[position] - 48) }
      digits += 1
      position += 1
    }
    guard digits > 0 else { return nil }
    for _ in digits..<max(3, digits) { value *= 10 }
    return value
  }

  /// Seconds east of UTC.
  mutating func offset() -> Int? {
    if skip("Z") || skip("z") { return 0 }
    let sign: Int
    if skip("+") { sign = 1 } else if skip("-") { sign = -1 } else { return nil }
    guard let hour = number(2), skip(":"), let minute = number(2), hour < 24, minute < 60 else { return nil }
    return sign * (hour * 3600 + minute * 60)
  }
}
