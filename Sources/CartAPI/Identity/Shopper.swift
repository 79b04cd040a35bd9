import CartDomain

/// Whose cart a request is about. A user that also carries a guest's pass has both: then it is the user's.
struct Shopper {
  var user: UserID?
  var guest: GuestPass?

  /// `nil` for a shopper who has no cart yet.
  var owner: CartOwner? {
    if let user { return .user(user) }
    return guest.map { .guest($0.id) }
  }
}

/// Finds the shopper of a request.
struct ShopperFinder {
  let issuer: GuestPassIssuer
  /// `nil` if no tokens are configured: then they are not looked at.
  let tokens: TokenVerifier?
  let now: () -> Timestamp

  /// - Throws: `bad_token` if the web server names a user that can't be one, and for a token that does not count:
  ///   a request with one is never taken for a guest's.
  func shopper(of request: HTTPRequest) throws(Problem) -> Shopper {
    Shopper(user: try user(of: request), guest: try guest(of: request))
  }

  private func user(of request: HTTPRequest) throws(Problem) -> UserID? {
    if request.cartUser.isEmpty { return try userOfToken(in: request) }
    guard let text = String(validating: request.cartUser, as: UTF8.self), let id = UserID(text) else {
      throw Problem(.badToken, "The web server names a user that can't be one.")
    }
    return id
  }

  private func userOfToken(in request: HTTPRequest) throws(Problem) -> UserID? {
    guard let tokens else { return nil }
    do throws(TokenVerifier.Refusal) {
      guard let token = try SessionToken.find(in: request) else { return nil }
      return try tokens.user(of: token, at: now())
    } catch {
      throw Problem(error)
    }
  }

  /// The first valid pass counts: the header's, then the cookies' in order. A header that is forged or mangled hides no
  /// cookie.
  private func guest(of request: HTTPRequest) throws(Problem) -> GuestPass? {
    do throws(Cryptography.Failure) {
      if let header = request[.guestCartID], let pass = try issuer.verify(Array(header.utf8)[...]) { return pass }
      guard let header = request[.cookie] else { return nil }
      for value in CookieField.values(of: GuestCookie.name, in: header) {
        if let pass = try issuer.verify(value) { return pass }
      }
      return nil
    } catch {
      throw Problem(error)
    }
  }
}
