extension [UInt8] {
  init(copying span: Span<UInt8>) {
    self = unsafe span.withUnsafeBufferPointer { unsafe Array($0) }
  }

  /// Appends a number as decimal digits.
  mutating func append(decimal number: Int64) {
    if number < 0 { append(UInt8(ascii: "-")) }
    var digits = InlineArray<20, UInt8>(repeating: 0)
    var start = 20
    var rest = number.magnitude
    repeat {
      start -= 1
      let quotient = rest / 10
      digits[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest - quotient * 10)
      rest = quotient
    } while rest > 0
    for index in start..<20 { append(digits[index]) }
  }
}

extension String {
  /// A copy of the text; `nil` where the bytes are not UTF-8.
  init?(validating span: Span<UInt8>) {
    guard let text = try? UTF8Span(validating: span) else { return nil }
    self.init(copying: text)
  }
}

extension Int64 {
  /// Reads an unsigned decimal number; `nil` for anything else and on overflow.
  init?(decimal span: Span<UInt8>) {
    guard !span.isEmpty else { return nil }
    var value: Int64 = 0
    for index in span.indices {
      let digit = span[index] &- UInt8(ascii: "0")
      guard digit < 10 else { return nil }
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.addingReportingOverflow(Int64(digit))
      if overflow || carry { return nil }
      value = sum
    }
    self = value
  }
}
