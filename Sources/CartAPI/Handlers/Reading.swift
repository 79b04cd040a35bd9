import CartDomain
import CartJSON

extension CartService {
  /// `GET /v1/cart`.
  func readCart(_ call: Call) throws(Problem) -> HTTPResponse {
    let view = try call.query.view()
    let reading = try cart(of: call.shopper.owner)
    var response = try cartResponse(
      self.view(of: reading.cart), view: view, call: call, isFromArchive: reading.isFromArchive)
    issue(call.duePass(reading), with: &response, to: call.request)
    return response
  }

  /// `POST /v1/cart/validate`: the checks of an order, against the exact stock, without one.
  func validateCart(_ call: Call) throws(Problem) -> HTTPResponse {
    try EmptyBody.check(call)
    let reading = try cart(of: call.shopper.owner)
    var selected = reading.cart
    selected.lines.removeAll { !$0.isSelected }
    let products = selected.lines.isEmpty ? [] : try stored(catalogue.exactProducts(for: selected.lines.map(\.sku)))
    let snapshots = [ProductRevision?](repeating: nil, count: products.count)
    let limited = products.compactMap { $0?.content.customerLimit == nil ? nil : $0?.content.sku }
    let view = CartView(
      selected, products: products, snapshots: snapshots, at: now(),
      bought: try purchases(of: call.shopper, limited))
    let problems = view.lines.isEmpty ? [Violation(.cartEmpty)] : view.problems
    var response = HTTPResponse.json {
      $0.object {
        $0.field("ok", problems.isEmpty)
        $0.problems(problems)
        $0.field("total", view.totals.selected)
      }
    }
    if reading.isFromArchive { response.add("Cart-Source", "database") }
    issue(call.duePass(reading), with: &response, to: call.request)
    return response
  }

  /// `POST /v1/cart/sync`: the cart is kept for good before the answer.
  func syncCart(_ call: Call) throws(Problem) -> HTTPResponse {
    try EmptyBody.check(call)
    var version: Int64 = 0
    if let owner = call.shopper.owner { version = try stored(store.sync(owner)) }
    return .json {
      $0.object {
        $0.field("version", version)
        $0.field("persistedVersion", version)
      }
    }
  }

  /// What the shopper's orders have taken of SKUs that are limited for each customer.
  private func purchases(of shopper: Shopper, _ skus: [SKU]) throws(Problem) -> [SKU: Int] {
    guard let owner = shopper.owner, let orders, !skus.isEmpty else { return [:] }
    return try stored(orders.purchases(of: owner, skus))
  }
}
