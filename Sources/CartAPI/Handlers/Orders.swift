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
      outcome = try ask { book throws(StoreError) in try book.place(request) }
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
    case .inProgress: throw Problem(.requestInProgress, cart: try cartNow(of: call.shopper))
    case .versionMismatch:
      throw Problem(
        .versionMismatch, "The cart has another version than cartVersion or If-Match names.",
        cart: try cartNow(of: call.shopper))
    case .lineNotFound(let missing):
      let faults = missing.map { sku in
        Problem.Fault(
          pointer: BodyPointer.root.member("skus").element(skus.firstIndex(of: sku) ?? 0).text, code: .lineNotFound,
          sku: sku.text)
      }
      throw try refusal(faults, call)
    case .nothingToOrder: throw Problem(.cartEmpty, cart: try cartNow(of: call.shopper))
    case .refused(let violations):
      let faults = violations.map { violation in
        Problem.Fault(
          code: ErrorCode(violation.code), sku: violation.sku?.text, requested: violation.requested,
          available: violation.available, limit: violation.limit)
      }
      throw try refusal([Problem.Fault(code: .cartNotReady)] + faults, call)
    case .totalChanged(let total):
      throw Problem(
        Problem.Fault(pointer: BodyPointer.root.member("expectedTotal").text, code: .totalChanged),
        detail: "The total is \(total) now.", cart: try cartNow(of: call.shopper))
    }
  }

  private func refusal(_ faults: [Problem.Fault], _ call: Call) throws(Problem) -> Problem {
    guard var problem = Problem(faults) else { return Problem(.cartNotReady) }
    problem.cart = try cartNow(of: call.shopper)
    return problem
  }

  /// `GET /v1/orders`.
  func listOrders(_ call: Call) throws(Problem) -> HTTPResponse {
    let limit = try call.query.limit()
    let before = try call.query.cursor()
    var page = OrderPage(orders: [], next: nil)
    let reading = try liveOwner(of: call)
    if let owner = reading.owner {
      page = try ask { book throws(StoreError) in try book.orders(of: owner, before: before, limit: limit) }
    }
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("orders")
    writer.beginArray()
    for order in page.orders { writer.order(order) }
    writer.endArray()
    writer.key("next")
    writer.string(page.next?.text)
    writer.endObject()
    var response = HTTPResponse(status: 200, body: writer.bytes)
    response.add("Content-Type", "application/json")
    if reading.isCookieDue { issue(call.shopper.guest, with: &response, to: call.request) }
    return response
  }

  /// `GET /v1/orders/{id}`.
  func readOrder(_ call: Call) throws(Problem) -> HTTPResponse {
    let reading = try liveOwner(of: call)
    guard let owner = reading.owner, let id = call.argument.flatMap({ OrderID($0) }),
      let order = try ask({ book throws(StoreError) in try book.order(id, of: owner) })
    else { throw Problem(.orderNotFound) }
    var response = orderResponse(order)
    if reading.isCookieDue { issue(call.shopper.guest, with: &response, to: call.request) }
    return response
  }

  /// `POST /v1/orders/{id}/cancel`.
  func cancelOrder(_ call: Call) throws(Problem) -> HTTPResponse {
    if !call.request.body.isEmpty { try EmptyBody.check(call.document().root) }
    guard let owner = try liveOwner(of: call).owner, let id = call.argument.flatMap({ OrderID($0) }) else {
      throw Problem(.orderNotFound)
    }
    switch try ask({ book throws(StoreError) in try book.cancel(id, of: owner) }) {
    case .done(let order): return orderResponse(order)
    case .refused: throw Problem(.notCancellable, cart: try cartNow(of: call.shopper))
    case .unknown: throw Problem(.orderNotFound)
    }
  }

  /// Whose orders the request may see. A guest's are seen as long as the cart lives: an id that is spent opens none.
  private func liveOwner(of call: Call) throws(Problem) -> (owner: CartOwner?, isCookieDue: Bool) {
    guard let owner = call.shopper.owner, owner.isGuest else { return (call.shopper.owner, false) }
    let reading = try read(call.shopper)
    return (reading.cart.owner, reading.isCookieDue)
  }

  private func cartNow(of shopper: Shopper) throws(Problem) -> CartView { try joined(read(shopper).cart) }

  private func ask<Answer>(_ body: (any OrderBook) throws(StoreError) -> Answer) throws(Problem) -> Answer {
    do throws(StoreError) {
      guard let orders else { throw StoreError(.unavailable, "no orders without PostgreSQL") }
      return try body(orders)
    } catch {
      throw Problem(error)
    }
  }

  private func orderResponse(_ order: Order, status: Int = 200) -> HTTPResponse {
    var writer = JSONWriter()
    writer.order(order)
    var response = HTTPResponse(status: status, body: writer.bytes)
    response.add("Content-Type", "application/json")
    return response
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
