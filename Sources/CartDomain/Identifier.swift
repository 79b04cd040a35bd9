/// A name that is compared byte by byte.
///
/// Swift compares strings by canonical equivalence, so that an "é" of one scalar equals one of two; a key in Redis or
/// PostgreSQL does not. Every identifier of the domain therefore compares and hashes its UTF-8.
package protocol Identifier: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The identifier as its users wrote it.
  var text: String { get }
}

extension Identifier {
  package static func == (left: Self, right: Self) -> Bool {
    let (left, right) = (left.text.utf8.span, right.text.utf8.span)
    guard left.count == right.count else { return false }
    // Eight bytes at a time, and the last ones one by one.
    let words = left.count & ~7
    for offset in stride(from: 0, to: words, by: 8)
    where unsafe left.bytes.word(at: offset) != right.bytes.word(at: offset) {
      return false
    }
    for index in words..<left.count where left[index] != right[index] { return false }
    return true
  }

  package static func < (left: Self, right: Self) -> Bool {
    left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
  }

  package func hash(into hasher: inout Hasher) {
    unsafe withUTF8 { bytes in unsafe hasher.combine(bytes: UnsafeRawBufferPointer(bytes)) }
    hasher.combine(0xFF as UInt8)
  }

  /// The bytes of the text, in one piece: catalogues and carts look identifiers up for every line.
  private func withUTF8<Result>(_ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
    if let result = unsafe text.utf8.withContiguousStorageIfAvailable(body) { return result }
    return unsafe Array(text.utf8).withUnsafeBufferPointer(body)
  }

  package var description: String { text }
}

extension RawSpan {
  fileprivate func word(at offset: Int) -> UInt64 {
    unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
  }
}

extension Identifier {
  /// Makes an identifier of bytes as they came; `nil` if they are not UTF-8, or `make` refuses the text.
  fileprivate static func read(_ bytes: Span<UInt8>, _ make: (String) -> Self?) -> Self? {
    guard let text = try? UTF8Span(validating: bytes) else { return nil }
    return make(String(copying: text))
  }
}

/// The key by which a shop sells a product: 1–64 bytes of printable UTF-8, case-sensitive, spaces inside allowed.
///
/// It is part of a path, so none of its `/`-separated parts is `.` or `..`.
package struct SKU: Identifier {
  package static let maximumBytes = 64
  package let text: String

  /// `nil` if `text` can't be a SKU.
  package init?(_ text: String) {
    guard (1...Self.maximumBytes).contains(text.utf8.count), Printable.isPrintable(text) else { return nil }
    self.text = text
    if text.utf8.first != UInt8(ascii: "."), !text.utf8.contains(UInt8(ascii: "/")) { return }
    for part in text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    where part.elementsEqual(".".utf8) || part.elementsEqual("..".utf8) {
      return nil
    }
  }

  /// Like ``init(_:)``; `nil` also if `bytes` are not UTF-8.
  package init?(utf8 bytes: Span<UInt8>) {
    // Most SKUs are plain: what has none of those needs no closer look.
    var isPlain = (1...Self.maximumBytes).contains(bytes.count)
    for index in bytes.indices {
      let byte = bytes[index]
      isPlain = isPlain && (0x21...0x7E).contains(byte) && byte != UInt8(ascii: ".") && byte != UInt8(ascii: "/")
    }
    if isPlain {
      text = String(ascii: bytes)
    } else if let read = Self.read(bytes, Self.init) {
      self = read
    } else {
      return nil
    }
  }
}

extension String {
  /// Bytes that are known to be ASCII.
  init(ascii bytes: Span<UInt8>) {
    self = unsafe bytes.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
  }
}

/// The seller of a line: 1–64 bytes of printable UTF-8.
package struct MerchantID: Identifier {
  package static let main = MerchantID(unchecked: "main")
  package let text: String

  /// `nil` if `text` can't name a merchant.
  package init?(_ text: String) {
    guard (1...64).contains(text.utf8.count), Printable.isPrintable(text) else { return nil }
    self.text = text
  }

  /// Like ``init(_:)``; `nil` also if `bytes` are not UTF-8.
  package init?(utf8 bytes: Span<UInt8>) {
    guard let read = Self.read(bytes, Self.init) else { return nil }
    self = read
  }

  private init(unchecked text: String) { self.text = text }
}

/// A user of the shop, as the shop's login names him: 1–128 bytes of UTF-8 without control characters.
package struct UserID: Identifier {
  package let text: String

  /// `nil` if `text` can't name a user.
  package init?(_ text: String) {
    guard (1...128).contains(text.utf8.count), !Printable.hasControls(text) else { return nil }
    self.text = text
  }
}

/// The random part of a guest's cookie, without the MAC: base64url characters, at least 128 bits of them.
package struct GuestCartID: Identifier {
  package let text: String

  /// `nil` if `text` is not 22 to 64 characters of base64url.
  package init?(_ text: String) {
    guard Base64URL.isText(text, of: 22...64) else { return nil }
    self.text = text
  }
}

/// Whose cart it is.
package enum CartOwner: Hashable, Sendable {
  case user(UserID)
  case guest(GuestCartID)

  /// `user` or `guest`, as in the API and the tables.
  package var kind: String {
    switch self {
    case .user: "user"
    case .guest: "guest"
    }
  }

  /// The identifier without its kind.
  package var id: String {
    switch self {
    case .user(let id): id.text
    case .guest(let id): id.text
    }
  }

  package var isGuest: Bool {
    if case .guest = self { true } else { false }
  }

  /// From ``kind`` and ``id``; `nil` if they name no owner.
  package init?(kind: String, id: String) {
    switch kind {
    case "user":
      guard let id = UserID(id) else { return nil }
      self = .user(id)
    case "guest":
      guard let id = GuestCartID(id) else { return nil }
      self = .guest(id)
    default: return nil
    }
  }

  /// Reads `user:ID` or `guest:ID`, the form in which operators name an owner; `nil` for anything else.
  package init?(_ text: String) {
    if text.hasPrefix("user:"), let id = UserID(String(text.dropFirst(5))) {
      self = .user(id)
    } else if text.hasPrefix("guest:"), let id = GuestCartID(String(text.dropFirst(6).prefix { $0 != "." })) {
      self = .guest(id)
    } else {
      return nil
    }
  }
}

/// What may be in a name that people read.
package enum Printable {
  /// No control characters, no line or paragraph separators, no white space at either end.
  package static func isPrintable(_ text: String) -> Bool {
    // Most names are ASCII, and the properties of scalars are slow to look up.
    let utf8 = text.utf8.span
    var isASCII = true
    for index in utf8.indices { isASCII = isASCII && (0x20...0x7E).contains(utf8[index]) }
    if isASCII { return utf8.isEmpty || utf8[0] != 0x20 && utf8[utf8.count - 1] != 0x20 }
    let scalars = text.unicodeScalars
    guard let first = scalars.first, let last = scalars.last else { return true }
    if first.properties.isWhitespace || last.properties.isWhitespace { return false }
    return !hasControls(text) && !scalars.contains { $0.value == 0x2028 || $0.value == 0x2029 }
  }

  /// True if a control character (C0, DEL, C1) is in `text`.
  package static func hasControls(_ text: String) -> Bool {
    text.unicodeScalars.contains { (0...0x1F).contains($0.value) || (0x7F...0x9F).contains($0.value) }
  }
}

/// The alphabet of RFC 4648 §5.
enum Base64URL {
  /// Whether `text` has a length within `lengths`, all of the alphabet.
  static func isText(_ text: String, of lengths: ClosedRange<Int>) -> Bool { isText(text.utf8.span, of: lengths) }

  static func isText(_ text: Span<UInt8>, of lengths: ClosedRange<Int>) -> Bool {
    guard lengths.contains(text.count) else { return false }
    for index in text.indices {
      switch text[index] {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
        continue
      default: return false
      }
    }
    return true
  }
}
