/// The table of requests, and the way from a path to a line of it.
struct Router {
  /// Every request that the API answers. HEAD goes with each GET, OPTIONS with each path.
  static let table: [Route] = [
    Route(.get, "/v1/cart", handler: CartService.readCart),
    Route(.delete, "/v1/cart", handler: CartService.clearCart),
    Route(.post, "/v1/cart/lines", takesBody: true, handler: CartService.addLines),
    Route(.delete, "/v1/cart/lines", handler: CartService.removeLines),
    Route(.patch, "/v1/cart/lines/{sku}", takesBody: true, handler: CartService.editLine),
    Route(.delete, "/v1/cart/lines/{sku}", handler: CartService.removeLine),
    Route(.put, "/v1/cart/selection", takesBody: true, handler: CartService.selectLines),
    Route(.post, "/v1/cart/prices/acknowledge", takesBody: true, handler: CartService.acknowledgePrices),
    Route(.post, "/v1/cart/merge", takesBody: true, mergesFirst: false, handler: CartService.mergeCart),
    Route(.post, "/v1/cart/sync", takesBody: true, handler: CartService.syncCart),
    Route(.post, "/v1/cart/validate", takesBody: true, handler: CartService.validateCart),
    Route(.post, "/v1/orders", takesBody: true, handler: CartService.placeOrder),
    Route(.get, "/v1/orders", handler: CartService.listOrders),
    Route(.get, "/v1/orders/{id}", handler: CartService.readOrder),
    Route(.post, "/v1/orders/{id}/cancel", takesBody: true, handler: CartService.cancelOrder),
    Route(.get, "/v1/openapi.json", isShoppers: false, handler: CartService.readDescription),
    Route(.get, "/v1/cart.js", isShoppers: false, handler: CartService.readClient),
    Route(.get, "/ops/health", isShoppers: false, handler: CartService.reportHealth),
    Route(.get, "/ops/ready", isShoppers: false, handler: CartService.reportReadiness),
    Route(.get, "/ops/status", isShoppers: false, handler: CartService.reportStatus),
    Route(.get, "/ops/metrics", isShoppers: false, handler: CartService.reportMetrics),
  ]

  /// Paths under it are the operator's, and lie outside the shop's base path too.
  private static let operations = "ops"

  /// What a path and a method lead to.
  enum Destination {
    case route(Route, argument: String?)
    /// The path is known: the methods that it allows.
    case options(allowed: String)
  }

  let basePath: [String]

  /// - Throws: `not_found`; `method_not_allowed` with the methods that are.
  func destination(method: String, parts: [String]?) throws(Problem) -> Destination {
    guard let parts, let local = withoutBasePath(parts) else { throw Problem(.notFound) }
    let method = HTTPMethod(rawValue: method)
    let wanted: HTTPMethod? = method == .head ? .get : method
    var isKnownPath = false
    for route in Self.table where route.matches(local) {
      if route.method == wanted { return .route(route, argument: route.argument(in: local)) }
      isKnownPath = true
    }
    guard isKnownPath else { throw Problem(.notFound) }
    let allowed = Self.allowed(local)
    if method == .options { return .options(allowed: allowed) }
    var problem = Problem(.methodNotAllowed)
    problem.allowed = allowed
    throw problem
  }

  private func withoutBasePath(_ parts: [String]) -> ArraySlice<String>? {
    if parts.starts(with: basePath) { return parts[basePath.count...] }
    return parts.first == Self.operations ? parts[...] : nil
  }

  /// The methods of a path, as in `Allow`.
  private static func allowed(_ parts: ArraySlice<String>) -> String {
    var methods: Set<HTTPMethod> = [.options]
    for route in table where route.matches(parts) {
      methods.insert(route.method)
      if route.method == .get { methods.insert(.head) }
    }
    return HTTPMethod.allCases.filter(methods.contains).map(\.rawValue).joined(separator: ", ")
  }
}
