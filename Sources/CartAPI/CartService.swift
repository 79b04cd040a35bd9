package import CartDomain

/// The HTTP API of carts: a request in, a response out, nothing in between that waits for another request.
package final class CartService {
  /// Longer bodies are refused.
  package static let maximumBodyBytes = 256 * 1024

  let store: any CartStore
  let catalogue: any Catalogue
  let configuration: APIConfiguration
  let now: () -> Timestamp
  let issuer: GuestPassIssuer
  private let router: Router
  private let shoppers: ShopperFinder
  private let crossSite: CrossSiteCheck

  /// - Parameter now: the time by which products are on sale; the store has a clock of its own.
  /// - Throws: ``APIConfiguration/Invalid`` where libcrypto can't be used.
  package init(
    store: any CartStore, catalogue: any Catalogue, configuration: APIConfiguration, now: @escaping () -> Timestamp
  ) throws(APIConfiguration.Invalid) {
    self.store = store
    self.catalogue = catalogue
    self.configuration = configuration
    self.now = now
    do throws(Cryptography.Failure) {
      issuer = try GuestPassIssuer(secrets: configuration.guestSecrets)
    } catch {
      throw APIConfiguration.Invalid(message: "libcrypto offers no HMAC-SHA-256")
    }
    router = Router(basePath: configuration.basePath)
    shoppers = ShopperFinder(issuer: issuer)
    crossSite = CrossSiteCheck(origins: configuration.origins)
  }

  /// Answers every request there is.
  package func respond(to request: HTTPRequest) -> HTTPResponse {
    var response: HTTPResponse
    do throws(Problem) {
      response = try answer(request)
    } catch {
      response = error.response(requestID: request.requestID, lowStock: configuration.lowStock)
    }
    let isRead = request.method == HTTPMethod.get.rawValue || request.method == HTTPMethod.head.rawValue
    response.add("Cache-Control", isRead ? "private, no-cache" : "no-store")
    if !request.requestID.isEmpty { response.add("Request-Id", request.requestID) }
    response.isHead = request.method == HTTPMethod.head.rawValue
    return response
  }

  /// What a server answers where there is no request to answer.
  package enum Unreadable: Sendable {
    /// Parameters or lengths that contradict each other, or too many of them.
    case malformed
    /// It did not come in time.
    case late
  }

  /// Answers what never became a request.
  package func respond(to unreadable: Unreadable) -> HTTPResponse {
    let code: ErrorCode =
      switch unreadable {
      case .malformed: .malformedRequest
      case .late: .deadlineExceeded
      }
    var response = Problem(code).response(requestID: "", lowStock: configuration.lowStock)
    response.add("Cache-Control", "no-store")
    return response
  }

  /// The checks, in the order that the contract gives them; those of fields and state are the handlers' own.
  private func answer(_ request: HTTPRequest) throws(Problem) -> HTTPResponse {
    let target = try RequestTarget(request.target)
    let route: Route
    let argument: String?
    switch try router.destination(method: request.method, parts: target.parts) {
    case .options(let allowed):
      var response = HTTPResponse(status: 204)
      response.add("Allow", allowed)
      return response
    case .route(let found, let part): (route, argument) = (found, part)
    }
    if request.isBodyTooLarge || request.body.count > Self.maximumBodyBytes { throw Problem(.bodyTooLarge) }
    let shopper = route.isShoppers ? try shoppers.shopper(of: request) : Shopper()
    if !route.method.isSafe, crossSite.isFromElsewhere(request) { throw Problem(.crossSite) }
    try checkBody(of: request, for: route)
    let call = Call(
      request: request, target: target, argument: argument, shopper: shopper, query: Query(target.query))
    return try route.handler(self)(call)
  }

  /// Without a body there is no type to be wrong; that one is missing, a handler finds when it reads it.
  private func checkBody(of request: HTTPRequest, for route: Route) throws(Problem) {
    if request.body.isEmpty { return }
    if route.takesBody {
      guard let type = request[.contentType], MediaType.isJSON(type) else { throw Problem(.notJSON) }
    } else if route.method == .delete {
      throw Problem(.malformedRequest, "A DELETE has no body.")
    }
  }
}

@available(*, unavailable)
extension CartService: Sendable {}
