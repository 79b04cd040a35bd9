extension [UInt8] {
  init(copying span: Span<UInt8>) {
    self = unsafe span.withUnsafeBufferPointer { unsafe Array($0) }
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
