/// `Content-Type` (RFC 9110 §8.3).
enum MediaType {
  /// Whether a body is `application/json` in UTF-8, which is what JSON is always written in.
  static func isJSON(_ header: String) -> Bool {
    if header == "application/json" { return true }
    let parts = header.lowercased().split(separator: ";", omittingEmptySubsequences: false).map(trimmed)
    guard parts.first == "application/json" else { return false }
    return parts.dropFirst().allSatisfy { parameter in
      guard parameter.hasPrefix("charset=") else { return true }
      let charset = parameter.dropFirst("charset=".count)
      return charset == "utf-8" || charset == "\"utf-8\""
    }
  }

  private static func trimmed(_ text: Substring) -> Substring {
    var text = text.drop { $0 == " " || $0 == "\t" }
    while let last = text.last, last == " " || last == "\t" { text.removeLast() }
    return text
  }
}
