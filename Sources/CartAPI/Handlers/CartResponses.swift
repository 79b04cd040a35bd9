import CartDomain
import CartJSON

extension CartService {
  /// The cart as it is now; one never written if there is no owner, without asking a store, and for a guest whose id is
  /// gone.
  func cart(of owner: CartOwner?) throws(Problem) -> CartReading {
    guard let owner else { return CartReading(cart: Cart(owner: nil)) }
    let reading = try stored(store.cart(of: owner))
    if !reading.isGone { return reading }
    return CartReading(cart: Cart(owner: nil), isGone: true, isFromArchive: reading.isFromArchive)
  }

  /// The cart with the catalogue's names and prices. An empty one needs no catalogue.
  func view(of cart: Cart) throws(Problem) -> CartView {
    if cart.lines.isEmpty { return CartView(cart, products: [], snapshots: [], at: now()) }
    return try stored(catalogue.view(of: cart, at: now()))
  }

  /// A problem for which the cart gives cause: it is shown if one of the codes asks for it.
  func refusal(_ problem: Problem, of cart: Cart) throws(Problem) -> Problem {
    guard problem.faults.contains(where: \.code.showsCart) else { return problem }
    var problem = problem
    problem.cart = try view(of: cart)
    return problem
  }

  /// A problem for which the shopper's cart gives cause, as it is now.
  func refusal(_ problem: Problem, to call: Call) throws(Problem) -> Problem {
    try refusal(problem, of: cart(of: call.shopper.owner).cart)
  }

  /// 200 with the cart, or 304 if a read finds that the client has it already.
  ///
  /// - Parameters:
  ///   - isFromArchive: the cart may lack the last changes, so that nothing is to be built on it.
  ///   - merge: what became of a guest's cart, if the request asked for it.
  func cartResponse(
    _ cart: CartView, view: Query.View, call: Call, isFromArchive: Bool = false, merge: MergeReading? = nil
  ) -> HTTPResponse {
    let isMerged = if case .merged = call.merge { true } else { false }
    defer { writer.removeAll() }
    switch view {
    case .whole: writer.cart(cart, lowStock: configuration.lowStock, merge: merge ?? call.merge)
    case .summary: writer.summary(cart)
    }
    let body = writer.bytes
    if isFromArchive {
      var response = HTTPResponse(body: body, type: "application/json")
      response.add("Cart-Source", "database")
      response.add("Cache-Control", "no-store")
      return response
    }
    // Written also if it is not sent: the tag covers all of it, prices and stock included.
    let tag = EntityTag(version: cart.cart.version, body: body)
    let isRead = HTTPMethod(rawValue: call.request.method)?.isSafe ?? false
    let isKnown = isRead && !isMerged && call.request[.ifNoneMatch].map(tag.matches(ifNoneMatch:)) ?? false
    var response = isKnown ? HTTPResponse(status: 304) : HTTPResponse(body: body, type: "application/json")
    response.add("ETag", tag.headerValue)
    return response
  }

  /// Issues or renews a guest's pass; does nothing without one.
  func issue(_ pass: GuestPass?, with response: inout HTTPResponse, to request: HTTPRequest) {
    guard let pass else { return }
    let isSecure =
      switch configuration.cookieSecurity {
      case .always: true
      case .never: false
      case .auto: request.scheme == "https"
      }
    response.add("Set-Cookie", GuestCookie.issuing(pass, isSecure: isSecure))
    response.add("Guest-Cart-Id", pass.value)
  }
}
