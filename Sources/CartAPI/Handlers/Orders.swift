import CartDomain
import CartJSON

extension CartService {
  /// `POST /v1/orders`.
  func placeOrder(_ call: Call) throws(Problem) -> HTTPResponse {
    if call.shopper.user == nil, !configuration.guestsMayOrder { throw Problem(.guestCheckoutOff) }
    let document = try call.document()
    let key = try call.request.orderKey()
    let body = try OrderBody(document.root)
    var conditions: [VersionCondition] = []
    if let version = body.cartVersion { conditions.append(.oneOf([version])) }
    if let header = call.request[.ifMatch] { conditions.append(EntityTag.condition(ifMatch: header)) }
    let outcome: OrderOutcome
    if let owner = call.shopper.owner {
      let request = OrderRequest(
        owner: owner, key: key, expectedTotal: body.expectedTotal, skus: body.skus, clientData: body.clientData,
        conditions: conditions, requestID: call.request.requestID)
      outcome = try stored(book().place(request))
    } else if !conditions.allSatisfy({ $0.holds(for: 0) }) {
      outcome = .versionMismatch
    } else {
      outcome = body.skus.flatMap { $0.isEmpty ? nil : .lineNotFound($0) } ?? .nothingToOrder
    }
    return try answer(outcome, to: call, skus: body.skus ?? [])
  }

  private func answer(_ outcome: OrderOutcome, to call: Call, skus: [SKU]) throws(Problem) -> HTTPResponse {
    switch outcome {
    case .placed(let order):
      var response = orderResponse(order, status: 201)
      response.add("Location", String(decoding: call.target.path, as: UTF8.self) + "/" + order.id.text)
      return response
    case .replayed(let order):
      var response = orderResponse(order)
      response.add("Idempotent-Replayed", "true")
      return response
    case .keyReused: throw Problem(.idempotencyKeyReused)
    case .inProgress: throw try refusal(Problem(.requestInProgress), to: call)
    case .versionMismatch:
      let detail = "The cart has another version than cartVersion or If-Match names."
      throw try refusal(Problem(.versionMismatch, detail), to: call)
    case .lineNotFound(let missing):
      let faults = missing.map { sku in
        let pointer = BodyPointer.root.member("skus").element(skus.firstIndex(of: sku) ?? 0)
        return Problem.Fault(pointer: pointer.text, code: .lineNotFound, sku: sku.text)
      }
      throw try refusal(Problem(faults) ?? Problem(.lineNotFound), to: call)
    case .nothingToOrder: throw try refusal(Problem(.cartEmpty), to: call)
    case .refused(let violations):
      let faults = violations.map { Problem.Fault($0) }
      throw try refusal(Problem(.cartNotReady, causes: faults), to: call)
    case .totalChanged(let total):
      let fault = Problem.Fault(pointer: BodyPointer.root.member("expectedTotal").text, code: .totalChanged)
      throw try refusal(Problem(fault, "The total is \(total) now."), to: call)
    }
  }

  /// `GET /v1/orders`.
  func listOrders(_ call: Call) throws(Problem) -> HTTPResponse {
    let limit = try call.query.limit()
    let before = try call.query.cursor()
    var page = OrderPage(orders: [], next: nil)
    let (owner, pass) = try liveOwner(of: call)
    if let owner { page = try stored(book().orders(of: owner, before: before, limit: limit)) }
    var response = HTTPResponse.json {
      $0.object {
        $0.array("orders") {
          for order in page.orders { $0.order(order) }
        }
        $0.field("next", page.next?.text)
      }
    }
    issue(pass, with: &response, to: call.request)
    return response
  }

  /// `GET /v1/orders/{id}`.
  func readOrder(_ call: Call) throws(Problem) -> HTTPResponse {
    let (owner, pass) = try liveOwner(of: call)
    guard let owner, let id = call.argument.flatMap({ OrderID($0) }),
      let order = try stored(book().order(id, of: owner))
    else { throw Problem(.orderNotFound) }
    var response = orderResponse(order)
    issue(pass, with: &response, to: call.request)
    return response
  }

  /// `POST /v1/orders/{id}/cancel`.
  func cancelOrder(_ call: Call) throws(Problem) -> HTTPResponse {
    try EmptyBody.check(call)
    guard let owner = try liveOwner(of: call).owner, let id = call.argument.flatMap({ OrderID($0) }) else {
      throw Problem(.orderNotFound)
    }
    switch try stored(book().cancel(id, of: owner)) {
    case .done(let order): return orderResponse(order)
    case .refused: throw try refusal(Problem(.notCancellable), to: call)
    case .unknown: throw Problem(.orderNotFound)
    }
  }

  /// Whose orders the request may see, and the pass that is due. A guest's are seen as long as the cart lives: an id
  /// that is gone opens none.
  private func liveOwner(of call: Call) throws(Problem) -> (owner: CartOwner?, pass: GuestPass?) {
    guard let owner = call.shopper.owner, owner.isGuest else { return (call.shopper.owner, nil) }
    let reading = try cart(of: owner)
    return (reading.cart.owner, call.duePass(reading))
  }

  private func book() throws(StoreError) -> any OrderBook {
    guard let orders else { throw StoreError(.unavailable, "no orders without PostgreSQL") }
    return orders
  }

  private func orderResponse(_ order: Order, status: Int = 200) -> HTTPResponse {
    .json(status: status) { $0.order(order) }
  }
}

extension Query {
  /// How many orders a page holds.
  fileprivate func limit() throws(Problem) -> Int {
    guard let text = try single("limit") else { return 20 }
    guard text.utf8.count <= 3, text.utf8.allSatisfy({ (48...57).contains($0) }), let limit = Int(text),
      (1...100).contains(limit)
    else { throw Problem(.invalidField, "The parameter limit is a number from 1 to 100.") }
    return limit
  }

  fileprivate func cursor() throws(Problem) -> OrderCursor? {
    guard let text = try single("before") else { return nil }
    guard let cursor = OrderCursor(text) else {
      throw Problem(.invalidField, "The parameter before takes the next of a former page.")
    }
    return cursor
  }

  private func single(_ name: String) throws(Problem) -> String? {
    let found = parameters.filter { $0.name == name }
    if found.isEmpty { return nil }
    guard found.count == 1, let value = found[0].value else {
      throw Problem(.invalidField, "The parameter \(name) stands once.")
    }
    return value
  }
}
