package import CartDomain
import CartJSON

/// The HTTP API of carts: a request in, a response out, nothing in between that waits for another request.
package final class CartService {
  /// Longer bodies are refused.
  package static let maximumBodyBytes = 256 * 1024

  let store: any CartStore
  let catalogue: any Catalogue
  /// `nil` if nothing can be ordered.
  let orders: (any OrderBook)?
  let configuration: APIConfiguration
  let now: () -> Timestamp
  let issuer: GuestPassIssuer
  let operations: (any Operations)?
  /// For the carts of all answers, one after the other.
  var writer = JSONWriter(capacity: 4096)
  private let router: Router
  private let shoppers: ShopperFinder
  private let crossSite: CrossSiteCheck

  /// The names of all requests that are answered, as metrics and logs show them.
  package static let routes = Router.table.map(\.name)

  /// - Parameters:
  ///   - operations: answers what is asked under `/ops`; without it, only that the process is alive.
  ///   - now: the time by which products are on sale; the store has a clock of its own.
  /// - Throws: ``APIConfiguration/Invalid`` if libcrypto can't be used.
  package init(
    store: any CartStore, catalogue: any Catalogue, orders: (any OrderBook)? = nil, configuration: APIConfiguration,
    operations: (any Operations)? = nil, now: @escaping () -> Timestamp
  ) throws(APIConfiguration.Invalid) {
    self.store = store
    self.catalogue = catalogue
    self.orders = orders
    self.configuration = configuration
    self.now = now
    self.operations = operations
    do throws(Cryptography.Failure) {
      issuer = try GuestPassIssuer(secrets: configuration.guestSecrets)
    } catch {
      throw APIConfiguration.Invalid(message: "libcrypto offers no HMAC-SHA-256")
    }
    router = Router(basePath: configuration.basePath)
    var tokens: TokenVerifier?
    if let configured = configuration.tokens { tokens = try TokenVerifier(configured) }
    shoppers = ShopperFinder(issuer: issuer, tokens: tokens, now: now)
    crossSite = CrossSiteCheck(origins: configuration.origins)
  }

  /// Answers every request there is.
  package func respond(to request: HTTPRequest) -> HTTPResponse {
    var response: HTTPResponse
    var trace = Trace()
    do throws(Problem) {
      response = try answer(request, &trace)
    } catch {
      var problem = error
      problem.merge = problem.merge ?? trace.merge
      trace.merge = problem.merge
      response = problem.response(requestID: request.requestID, lowStock: configuration.lowStock)
    }
    // A guest whose merge is pending keeps the cookie, so that the next request tries it again.
    if let merge = trace.merge, merge != .pending { response.add("Set-Cookie", GuestCookie.clearing) }
    response.note = response.note ?? trace.note
    response.route = trace.route
    response.shopper = trace.shopper
    let isRead = request.method == HTTPMethod.get.rawValue || request.method == HTTPMethod.head.rawValue
    if response["Cache-Control"] == nil {
      response.add("Cache-Control", isRead ? "private, no-cache" : "no-store")
    }
    if !request.requestID.isEmpty { response.add("Request-Id", request.requestID) }
    response.isHead = request.method == HTTPMethod.head.rawValue
    return response
  }

  /// How far a request came.
  private struct Trace {
    var route = ""
    var shopper = HTTPResponse.ShopperKind.none
    var merge: MergeReading?
    /// For the log.
    var note: String?
  }

  /// What a server answers if there is no request to answer.
  package enum Unreadable: Sendable {
    /// Parameters or lengths that contradict each other, or too many of them.
    case malformed
    /// It did not come in time, or could not be answered in time.
    case late
    /// It has waited too long already.
    case overloaded
  }

  /// Answers what never became a request.
  ///
  /// - Parameter requestID: the web server's name of the request; empty for none.
  package func respond(to unreadable: Unreadable, requestID: String = "") -> HTTPResponse {
    let code: ErrorCode =
      switch unreadable {
      case .malformed: .malformedRequest
      case .late: .deadlineExceeded
      case .overloaded: .overloaded
      }
    var response = Problem(code).response(requestID: requestID, lowStock: configuration.lowStock)
    response.add("Cache-Control", "no-store")
    if !requestID.isEmpty { response.add("Request-Id", requestID) }
    return response
  }

  /// The checks, in the order that the contract gives them; those of fields and state are the handlers' own.
  private func answer(_ request: HTTPRequest, _ trace: inout Trace) throws(Problem) -> HTTPResponse {
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
    trace.route = route.name
    if request.isBodyTooLarge || request.body.count > Self.maximumBodyBytes { throw Problem(.bodyTooLarge) }
    let shopper = route.isShoppers ? try shoppers.shopper(of: request) : Shopper()
    trace.shopper = shopper.user != nil ? .user : shopper.guest != nil ? .guest : .none
    if !route.method.isSafe, crossSite.isCrossOrigin(request) { throw Problem(.crossSite) }
    try checkBody(of: request, for: route)
    var call = Call(
      request: request, target: target, argument: argument, shopper: shopper, query: Query(target.query))
    if route.mergesFirst {
      call.merge = merge(shopper, call, note: &trace.note)
      trace.merge = call.merge
    }
    return try route.handler(self)(call)
  }

  /// Checks the type of a body that came; a handler finds that one is missing when it reads it.
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
