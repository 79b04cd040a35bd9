/// The cookie that carries a guest's pass (RFC 6265).
enum GuestCookie {
  static let name = "guestCartId"
  /// A guest's cart lives as long: 30 days, in seconds.
  static let maximumAge = 2_592_000

  /// The value of `Set-Cookie` that issues or renews `pass`. The path is the whole site's, also where the shop has a
  /// base path: pages outside it may show the cart too.
  static func issuing(_ pass: GuestPass, isSecure: Bool) -> String {
    "\(name)=\(pass.value); Path=/; Max-Age=\(maximumAge); HttpOnly; SameSite=Lax\(isSecure ? "; Secure" : "")"
  }

  /// The values of every cookie of that name in the field `Cookie`, in order, quotes taken off.
  static func values(in header: String) -> [ArraySlice<UInt8>] {
    var values: [ArraySlice<UInt8>] = []
    var rest = Array(header.utf8)[...]
    while !rest.isEmpty {
      let pair = rest.prefix { $0 != UInt8(ascii: ";") }
      rest = rest[pair.endIndex...].dropFirst()
      guard let equals = pair.firstIndex(of: UInt8(ascii: "=")), trimmed(pair[..<equals]).elementsEqual(name.utf8)
      else { continue }
      var value = trimmed(pair[(equals + 1)...])
      if value.count >= 2, value.first == UInt8(ascii: "\""), value.last == UInt8(ascii: "\"") {
        value = value.dropFirst().dropLast()
      }
      values.append(value)
    }
    return values
  }

  private static func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var text = text.drop { $0 == 0x20 || $0 == 0x09 }
    while let last = text.last, last == 0x20 || last == 0x09 { text.removeLast() }
    return text
  }
}
