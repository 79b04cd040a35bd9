import CartDomain

/// The `ETag` of a cart, `"<version>-<hash>"`: the hash covers every byte of the body, so that a new price or stock mark
/// changes the tag though the version stays.
struct EntityTag {
  /// With the quotes.
  let headerValue: String

  /// Of a cart.
  init(version: Int64, body: [UInt8]) {
    self.init(body: body, prefix: "\(version)-")
  }

  /// Of anything else: `"<hash>"`.
  init(body: [UInt8]) {
    self.init(body: body, prefix: "")
  }

  private init(body: [UInt8], prefix: String) {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(40)
    bytes.append(UInt8(ascii: "\""))
    bytes.append(contentsOf: prefix.utf8)
    let hash = Self.hash(body)
    for shift in stride(from: 60, through: 0, by: -4) {
      let digit = UInt8(truncatingIfNeeded: hash >> UInt64(shift)) & 15
      bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
    }
    bytes.append(UInt8(ascii: "\""))
    headerValue = String(decoding: bytes, as: UTF8.self)
  }

  /// Without the quotes.
  var text: String { String(headerValue.dropFirst().dropLast()) }

  /// Whether `If-None-Match` names this tag (RFC 9110 §13.1.2, weak comparison).
  func matches(ifNoneMatch header: String) -> Bool {
    if Self.isWildcard(header) { return true }
    return Self.opaqueTags(in: header).contains { $0.elementsEqual(text.utf8) }
  }

  /// What `If-Match` asks of a cart's version. A tag that can't be read names no version, so it never holds.
  static func condition(ifMatch header: String) -> VersionCondition {
    if isWildcard(header) { return .written }
    return .oneOf(opaqueTags(in: header).compactMap(version))
  }

  private static func isWildcard(_ header: String) -> Bool {
    header.utf8.filter { $0 != 0x20 && $0 != 0x09 }.elementsEqual("*".utf8)
  }

  /// The digits before the first dash.
  private static func version(of tag: Substring.UTF8View) -> Int64? {
    var version: Int64 = 0
    var digits = 0
    for byte in tag {
      if byte == UInt8(ascii: "-"), digits > 0 { return version }
      guard (48...57).contains(byte) else { return nil }
      let (tenfold, overflow) = version.multipliedReportingOverflow(by: 10)
      let (sum, sumOverflow) = tenfold.addingReportingOverflow(Int64(byte - 48))
      if overflow || sumOverflow { return nil }
      version = sum
      digits += 1
    }
    return digits > 0 ? version : nil
  }

  /// What is between the quotes of `"x"`, `W/"x"` and `"x-gzip"`, separated by commas; anything else is left out.
  private static func opaqueTags(in header: String) -> [Substring.UTF8View] {
    header.utf8.split(separator: UInt8(ascii: ",")).compactMap { element in
      var tag = element.drop { $0 == 0x20 || $0 == 0x09 }
      while let last = tag.last, last == 0x20 || last == 0x09 { tag.removeLast() }
      if tag.starts(with: "W/".utf8) { tag = tag.dropFirst(2) }
      guard tag.count >= 2, tag.first == UInt8(ascii: "\""), tag.last == UInt8(ascii: "\"") else { return nil }
      tag = tag.dropFirst().dropLast()
      // A web server that compresses on the way may say so in the tag.
      let suffix = "-gzip".utf8
      return tag.suffix(suffix.count).elementsEqual(suffix) ? tag.dropLast(suffix.count) : tag
    }
  }

  /// 64 bits over the bytes, the same in every process: multiply and mix, eight bytes at a time.
  private static func hash(_ bytes: [UInt8]) -> UInt64 {
    let multiplier: UInt64 = 0x9E37_79B9_7F4A_7C15
    var state = UInt64(bytes.count) &* multiplier
    func mix(_ word: UInt64) {
      let product = (state ^ word).multipliedFullWidth(by: multiplier)
      state = product.high ^ product.low ^ (state &>> 29)
    }
    let words = bytes.count / 8
    unsafe bytes.withUnsafeBytes { bytes in
      for word in 0..<words {
        mix(UInt64(littleEndian: unsafe bytes.loadUnaligned(fromByteOffset: word * 8, as: UInt64.self)))
      }
    }
    mix(bytes[(words * 8)...].reduce(0) { $0 << 8 | UInt64($1) })
    mix(multiplier)
    return state
  }
}
