/// A strict reader of one JSON text (RFC 8259): it refuses what a sloppy server might send, a repeated name too.
struct JSONParser {
  struct Failure: Error, CustomStringConvertible {
    let reason: String
    let offset: Int
    var description: String { "not JSON: \(reason) at byte \(offset)" }
  }

  private let bytes: [UInt8]
  private var position = 0

  static func parse(_ bytes: [UInt8]) throws -> JSON {
    var parser = JSONParser(bytes: bytes)
    let value = try parser.value()
    parser.skipSpace()
    guard parser.position == bytes.count else { throw parser.failure("trailing bytes") }
    return value
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  private func failure(_ reason: String) -> Failure { Failure(reason: reason, offset: position) }

  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while let byte = next, [0x20, 0x09, 0x0A, 0x0D].contains(byte) { position += 1 }
  }

  private mutating func take(_ text: StaticString) throws {
    for character in text.description.utf8 {
      guard next == character else { throw failure("expected \(text)") }
      position += 1
    }
  }

  private mutating func value() throws -> JSON {
    skipSpace()
    switch next {
    case UInt8(ascii: "{"): return try object()
    case UInt8(ascii: "["): return try array()
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"):
      try take("true")
      return true
    case UInt8(ascii: "f"):
      try take("false")
      return false
    case UInt8(ascii: "n"):
      try take("null")
      return nil
    default: return try number()
    }
  }

  private mutating func object() throws -> JSON {
    try take("{")
    var members: [String: JSON] = [:]
    skipSpace()
    while next != UInt8(ascii: "}") {
      if !members.isEmpty { try take(",") }
      skipSpace()
      let name = try string()
      skipSpace()
      try take(":")
      guard members.updateValue(try value(), forKey: name) == nil else { throw failure("repeated name \(name)") }
      skipSpace()
    }
    try take("}")
    return .object(members)
  }

  private mutating func array() throws -> JSON {
    try take("[")
    var elements: [JSON] = []
    skipSpace()
    while next != UInt8(ascii: "]") {
      if !elements.isEmpty { try take(",") }
      elements.append(try value())
      skipSpace()
    }
    try take("]")
    return .array(elements)
  }

  private mutating func number() throws -> JSON {
    let start = position
    while let byte = next, "+-.eE0123456789".utf8.contains(byte) { position += 1 }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if let number = Int(text), String(number) == text || text == "-0" { return .int(number) }
    guard text.contains(where: { ".eE".contains($0) }), let number = Double(text) else { throw failure("bad number") }
    return .real(number)
  }

  private mutating func string() throws -> String {
    try take("\"")
    var units: [UInt8] = []
    while let byte = next, byte != UInt8(ascii: "\"") {
      position += 1
      switch byte {
      case UInt8(ascii: "\\"): units += Array(String(try escape()).utf8)
      case 0..<0x20: throw failure("control byte in a string")
      default: units.append(byte)
      }
    }
    try take("\"")
    guard let text = String(validating: units, as: UTF8.self) else { throw failure("not UTF-8") }
    return text
  }

  private mutating func escape() throws -> Unicode.Scalar {
    guard let byte = next else { throw failure("cut escape") }
    position += 1
    let plain: [UInt8: Unicode.Scalar] = [
      UInt8(ascii: "n"): "\n", UInt8(ascii: "t"): "\t", UInt8(ascii: "r"): "\r", UInt8(ascii: "b"): "\u{8}",
      UInt8(ascii: "f"): "\u{c}", UInt8(ascii: "/"): "/", UInt8(ascii: "\\"): "\\", UInt8(ascii: "\""): "\"",
    ]
    if let scalar = plain[byte] { return scalar }
    guard byte == UInt8(ascii: "u") else { throw failure("bad escape") }
    var code = try hexadecimal()
    if (0xD800..<0xDC00).contains(code) {
      try take("\\u")
      let low = try hexadecimal()
      guard (0xDC00..<0xE000).contains(low) else { throw failure("lone surrogate") }
      code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
    }
    guard let scalar = Unicode.Scalar(code) else { throw failure("lone surrogate") }
    return scalar
  }

  private mutating func hexadecimal() throws -> UInt32 {
    let digits = bytes[position..<min(position + 4, bytes.count)]
    guard digits.count == 4, let code = UInt32(String(decoding: digits, as: UTF8.self), radix: 16) else {
      throw failure("bad \\u escape")
    }
    position += 4
    return code
  }
}
