import CartDomain
import CartJSON

extension CartService {
  /// The cart with the catalogue's names and prices. An empty one needs no catalogue.
  func joined(_ cart: Cart) throws(Problem) -> CartView {
    if cart.lines.isEmpty { return CartView(cart, products: [], snapshots: [], at: now()) }
    do throws(StoreError) {
      return try catalogue.view(of: cart, at: now())
    } catch {
      throw Problem(error)
    }
  }

  /// 200 with the cart, or 304 where a read finds that the client has it already.
  ///
  /// - Parameters:
  ///   - isFromArchive: the cart may lack the last changes, so that nothing is to be built on it.
  ///   - merge: what became of a guest's cart, where the request asked for it.
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
      var response = HTTPResponse(status: 200, body: body)
      response.add("Content-Type", "application/json")
      response.add("Cart-Source", "database")
      response.add("Cache-Control", "no-store")
      return response
    }
    let tag = EntityTag(version: cart.cart.version, body: body)
    let isRead = HTTPMethod(rawValue: call.request.method)?.isSafe ?? false
    var response: HTTPResponse
    if isRead, !isMerged, let condition = call.request[.ifNoneMatch], tag.matches(ifNoneMatch: condition) {
      response = HTTPResponse(status: 304)
    } else {
      response = HTTPResponse(status: 200, body: body)
      response.add("Content-Type", "application/json")
    }
    response.add("ETag", tag.headerValue)
    return response
  }

  /// Hands a guest's pass out, for the first time or anew.
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

extension Call {
  /// The body as JSON.
  ///
  /// - Throws: `malformed_json`.
  func document() throws(Problem) -> JSONDocument {
    do throws(JSONError) {
      return try JSONDocument(parsing: request.body.span, maximumBytes: CartService.maximumBodyBytes)
    } catch {
      throw Problem(error)
    }
  }
}
