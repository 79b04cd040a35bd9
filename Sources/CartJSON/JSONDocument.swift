import CJansson

/// Why bytes are not one JSON text (RFC 8259). It holds nothing of the text itself, so that it may be logged.
package struct JSONError: Error, Equatable, Sendable, CustomStringConvertible {
  package enum Reason: String, Sendable {
    case empty = "no JSON text"
    case tooLong = "longer than allowed"
    case tooDeep = "nested too deeply"
    case duplicateName = "the same name twice in one object"
    case notUTF8 = "not UTF-8"
    case number = "a number out of range"
    case syntax = "not valid JSON"
  }

  package let reason: Reason
  /// Bytes read before the fault was found.
  package let offset: Int

  package var description: String { "\(reason.rawValue), at byte \(offset)" }
}

/// One parsed JSON text.
///
/// Stricter than RFC 8259 asks: a name may stand once in an object, integers must fit into 64 bits, no string may hold
/// U+0000, and lone surrogates, a byte order mark and anything behind the text are refused.
package struct JSONDocument: ~Copyable {
  /// Nesting that ``init(parsing:maximumBytes:maximumDepth:)`` allows if nothing else is said.
  package static let defaultDepth = 32

  package let root: JSONValue

  /// - Parameters:
  ///   - maximumBytes: longer texts are refused unread.
  ///   - maximumDepth: objects and arrays within one another.
  package init(
    parsing text: Span<UInt8>, maximumBytes: Int = 1 << 20, maximumDepth: Int = JSONDocument.defaultDepth
  ) throws(JSONError) {
    guard text.count <= maximumBytes else { throw JSONError(reason: .tooLong, offset: maximumBytes) }
    if let offset = Self.offsetDeeper(than: maximumDepth, in: text) {
      throw JSONError(reason: .tooDeep, offset: offset)
    }
    _ = Self.seeded
    var error = json_error_t()
    let flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY
    let parsed = unsafe text.withUnsafeBytes { bytes in
      unsafe json_loadb(bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count, Int(flags), &error)
    }
    guard let parsed = unsafe parsed else {
      let code = unsafe json_error_code(&error)
      throw JSONError(
        reason: Self.reason(code, isEmpty: text.isEmpty), offset: max(0, Int(error.position)))
    }
    root = unsafe JSONValue(owning: parsed)
  }

  /// Hash seeds keep clients from choosing colliding names; jansson would draw one late, in the first request.
  private static let seeded: Void = json_object_seed(0)

  private static func reason(_ code: json_error_code, isEmpty: Bool) -> JSONError.Reason {
    switch code {
    case json_error_duplicate_key: .duplicateName
    case json_error_invalid_utf8: .notUTF8
    case json_error_numeric_overflow: .number
    case json_error_stack_overflow: .tooDeep
    default: isEmpty ? .empty : .syntax
    }
  }

  /// Where the nesting first passes `limit`. jansson's own limit is fixed when it is compiled, and recursion that deep
  /// costs stack.
  private static func offsetDeeper(than limit: Int, in text: Span<UInt8>) -> Int? {
    var depth = 0
    var isInString = false
    var isEscaped = false
    for offset in text.indices {
      let byte = text[offset]
      if isInString {
        if isEscaped {
          isEscaped = false
        } else if byte == UInt8(ascii: "\\") {
          isEscaped = true
        } else if byte == UInt8(ascii: "\"") {
          isInString = false
        }
        continue
      }
      switch byte {
      case UInt8(ascii: "\""): isInString = true
      case UInt8(ascii: "["), UInt8(ascii: "{"):
        depth += 1
        if depth > limit { return offset }
      case UInt8(ascii: "]"), UInt8(ascii: "}"): depth -= 1
      default: continue
      }
    }
    return nil
  }
}
