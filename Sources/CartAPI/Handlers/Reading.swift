import CartDomain
import CartJSON

extension CartService {
  /// `GET /v1/cart`.
  func readCart(_ call: Call) throws(Problem) -> HTTPResponse {
    let view = try call.query.view()
    let reading = try read(call.shopper)
    var response = try cartResponse(
      joined(reading.cart), view: view, call: call, isFromArchive: reading.isFromArchive)
    if reading.isCookieDue { issue(call.shopper.guest, with: &response, to: call.request) }
    return response
  }

  /// `POST /v1/cart/validate`: the checks of an order, against the exact stock, without one.
  func validateCart(_ call: Call) throws(Problem) -> HTTPResponse {
    if !call.request.body.isEmpty { try EmptyBody.check(call.document().root) }
    let reading = try read(call.shopper)
    var selected = reading.cart
    selected.lines.removeAll { !$0.isSelected }
    let products = selected.lines.isEmpty ? [] : try exactProducts(for: selected.lines.map(\.sku))
    let snapshots = [ProductRevision?](repeating: nil, count: products.count)
    let limited = products.compactMap { $0?.content.customerLimit == nil ? nil : $0?.content.sku }
    let view = CartView(
      selected, products: products, snapshots: snapshots, at: now(),
      bought: try purchases(of: call.shopper, limited))
    let problems = view.lines.isEmpty ? [Violation(.cartEmpty)] : view.problems
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("ok")
    writer.boolean(problems.isEmpty)
    writer.key("problems")
    writer.problems(problems)
    writer.key("total")
    writer.integer(view.totals.selected)
    writer.endObject()
    var response = HTTPResponse(status: 200, body: writer.bytes)
    response.add("Content-Type", "application/json")
    if reading.isFromArchive { response.add("Cart-Source", "database") }
    if reading.isCookieDue { issue(call.shopper.guest, with: &response, to: call.request) }
    return response
  }

  /// `POST /v1/cart/sync`: the cart is kept for good before the answer.
  func syncCart(_ call: Call) throws(Problem) -> HTTPResponse {
    if !call.request.body.isEmpty { try EmptyBody.check(call.document().root) }
    var version: Int64 = 0
    if let owner = call.shopper.owner {
      do throws(StoreError) {
        version = try store.sync(owner)
      } catch {
        throw Problem(error)
      }
    }
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("version")
    writer.integer(version)
    writer.key("persistedVersion")
    writer.integer(version)
    writer.endObject()
    var response = HTTPResponse(status: 200, body: writer.bytes)
    response.add("Content-Type", "application/json")
    return response
  }

  /// The shopper's cart; one never written for nobody, without asking a store, and for a guest whose id is spent.
  func read(_ shopper: Shopper) throws(Problem) -> CartReading {
    guard let owner = shopper.owner else { return CartReading(cart: Cart(owner: nil)) }
    do throws(StoreError) {
      let reading = try store.cart(of: owner)
      return reading.isGone
        ? CartReading(cart: Cart(owner: nil), isFromArchive: reading.isFromArchive) : reading
    } catch {
      throw Problem(error)
    }
  }

  /// What the shopper's orders have taken of SKUs that each customer gets so many of.
  private func purchases(of shopper: Shopper, _ skus: [SKU]) throws(Problem) -> [SKU: Int] {
    guard let owner = shopper.owner, let orders, !skus.isEmpty else { return [:] }
    do throws(StoreError) {
      return try orders.purchases(of: owner, skus)
    } catch {
      throw Problem(error)
    }
  }

  private func exactProducts(for skus: [SKU]) throws(Problem) -> [Product?] {
    do throws(StoreError) {
      return try catalogue.exactProducts(for: skus)
    } catch {
      throw Problem(error)
    }
  }
}
