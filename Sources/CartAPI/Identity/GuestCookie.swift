/// The cookie that carries a guest's pass (RFC 6265).
enum GuestCookie {
  static let name = "guestCartId"
  /// A guest's cart lives as long: 30 days, in seconds.
  static let maximumAge = 2_592_000

  /// The value of `Set-Cookie` that makes a browser forget its pass.
  static let clearing = "\(name)=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"

  /// The value of `Set-Cookie` that issues or renews `pass`. The path is the whole site's, also where the shop has a
  /// base path: pages outside it may show the cart too.
  static func issuing(_ pass: GuestPass, isSecure: Bool) -> String {
    "\(name)=\(pass.value); Path=/; Max-Age=\(maximumAge); HttpOnly; SameSite=Lax\(isSecure ? "; Secure" : "")"
  }
}
