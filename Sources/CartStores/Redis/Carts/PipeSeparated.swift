/// Takes the parts of `a|b|c` one after the other.
struct PipeSeparated {
  private var position = 0
  private(set) var isAtEnd = false

  /// The next part as an unsigned decimal number.
  mutating func number(_ text: Span<UInt8>) -> Int64? {
    range(text).flatMap { Int64(decimal: text.extracting($0)) }
  }

  /// The next part, percent-decoded.
  mutating func text(_ text: Span<UInt8>) -> String? {
    guard let range = range(text) else { return nil }
    let part = text.extracting(range)
    for index in part.indices where part[index] == UInt8(ascii: "%") {
      return PercentEncoding.decode(part).flatMap { String(validating: $0.span) }
    }
    return String(validating: part)
  }

  /// Where the next part stands.
  mutating func range(_ text: Span<UInt8>) -> Range<Int>? {
    if isAtEnd { return nil }
    let start = position
    while position < text.count, text[position] != UInt8(ascii: "|") { position += 1 }
    defer { position += 1 }
    isAtEnd = position == text.count
    return start..<position
  }
}
