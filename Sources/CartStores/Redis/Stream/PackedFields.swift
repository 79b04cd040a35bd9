/// A row of byte strings packed into one: `<length>:<bytes>` for each, `-` for one that is absent, `=` for one that is
/// the same as the one before it.
struct PackedFields {
  private(set) var bytes: [UInt8] = []

  mutating func append(_ text: String?) {
    guard let text else {
      bytes.append(UInt8(ascii: "-"))
      return
    }
    bytes.append(contentsOf: String(text.utf8.count).utf8)
    bytes.append(UInt8(ascii: ":"))
    bytes.append(contentsOf: text.utf8)
  }

  mutating func append(_ number: (some BinaryInteger)?) {
    append(number.map { String($0) })
  }

  /// Unpacks; `nil` where `bytes` are not what this type packs.
  static func unpack(_ bytes: Span<UInt8>) -> [[UInt8]?]? {
    var fields: [[UInt8]?] = []
    var position = 0
    while position < bytes.count {
      switch bytes[position] {
      case UInt8(ascii: "-"):
        fields.append(nil)
        position += 1
      case UInt8(ascii: "="):
        guard let last = fields.last else { return nil }
        fields.append(last)
        position += 1
      default:
        let start = position
        while position < bytes.count, bytes[position] != UInt8(ascii: ":") { position += 1 }
        guard let length = Int64(decimal: bytes.extracting(start..<position)), position < bytes.count,
          length < bytes.count - position
        else { return nil }
        let first = position + 1
        position = first + Int(length)
        fields.append([UInt8](copying: bytes.extracting(first..<position)))
      }
    }
    return fields
  }
}
