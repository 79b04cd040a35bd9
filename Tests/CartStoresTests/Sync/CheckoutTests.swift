import CartDomain
import Testing

@testable import CartStores

@Suite("Placing orders", .requiresRedis, .requiresPostgres)
struct CheckoutTests {
  @Test("The selected lines become an order and leave the cart; the others stay")
  func placing() throws {
    let shop = try OrderingShop()
    try shop.sell("A", price: 250, stock: 10)
    try shop.sell("B", price: 40)
    try shop.sell("C", price: 7, stock: 3)
    let worker = try shop.worker()
    let user = CartOwner.anyUser()
    try worker.add(user, "A", 2, data: .replace(Array(#"{"z":1,"gift":true}"#.utf8)))
    try worker.add(user, "B")
    try worker.add(user, "C")
    _ = try worker.store.change(ChangeRequest(owner: user, change: .select(false, .skus(["C"]))))
    let outcome = try worker.place(user, "k", total: 540, data: #"{"note":"é"}"#)
    let order = try #require(outcome.placed)
    #expect(order.status == .placed)
    #expect(order.total.minorUnits == 540)
    #expect(order.lines.map(\.sku) == ["A", "B"])
    #expect(order.lines.map(\.unitPrice) == [250, 40])
    #expect(order.lines[0].clientData.map { String(decoding: $0, as: UTF8.self) } == #"{"z":1,"gift":true}"#)
    #expect(order.clientData.map { String(decoding: $0, as: UTF8.self) } == #"{"note":"é"}"#)
    let cart = try worker.store.cart(of: user).cart
    #expect(cart.lines.map(\.sku) == ["C"])
    #expect(order.cartVersion == cart.version)
    #expect(cart.version == 5)
    #expect(try shop.stock(of: "A") == 8)
    #expect(try shop.stock(of: "B") == nil)
    #expect(try shop.stock(of: "C") == 3)
    #expect(try worker.checkout.order(order.id, of: user) == order)
    #expect(try worker.checkout.order(order.id, of: .anyUser()) == nil)
    let rows = try shop.schema.rows("SELECT status, currency, total, data ->> 'note' FROM orders")
    #expect(rows == [["placed", "GBP", "540", "é"]])
    let lines = try shop.schema.rows(
      "SELECT sku, merchant_id, name, quantity, unit_price, extra_data ->> 'gift' FROM order_lines ORDER BY sku")
    #expect(lines == [["A", "main", "Name of A", "2", "250", "true"], ["B", "main", "Name of B", "1", "40", nil]])
  }

  @Test("A key leads to one order: again the same one, another wish is refused")
  func keys() throws {
    let shop = try OrderingShop()
    try shop.sell("A", stock: 10)
    let worker = try shop.worker()
    let user = CartOwner.anyUser()
    try worker.add(user, "A")
    // A refusal leaves the key free.
    #expect(try worker.place(user, "k", total: 99) == .totalChanged(100))
    let order = try #require(try worker.place(user, "k", total: 100).placed)
    #expect(try worker.place(user, "k", total: 100).replayed == order)
    #expect(try worker.place(user, "k", total: 100, body: 1) == .keyReused)
    #expect(try worker.place(user, "other", total: 100) == .nothingToOrder)
    let other = CartOwner.anyUser()
    try worker.add(other, "A")
    #expect(try worker.place(other, "k", total: 100).placed != nil)
    #expect(try shop.stock(of: "A") == 8)
    try worker.add(user, "A")
    // The version stays the one of then.
    #expect(try shop.worker().place(user, "k", total: 100).replayed == order)
  }

  @Test("The checks come in their order, and a refusal changes nothing")
  func refusals() throws {
    let shop = try OrderingShop()
    try shop.sell("A", price: 100, stock: 5)
    try shop.sell("L", price: 1, stock: 50, #","purchaseLimit":5,"customerLimit":8"#)
    let worker = try shop.worker()
    let user = CartOwner.anyUser()
    #expect(try worker.place(user, "k", total: 1, version: 7) == .versionMismatch)
    #expect(try worker.place(user, "k", total: 1) == .nothingToOrder)
    try worker.add(user, "A", 5)
    #expect(try worker.place(user, "k", total: 1, skus: ["X"], version: 7) == .versionMismatch)
    #expect(try worker.place(user, "k", total: 1, skus: ["A", "X"], version: 1) == .lineNotFound(["X"]))
    #expect(try worker.place(user, "k", total: 1, skus: []) == .nothingToOrder)
    try shop.sell("A", price: 100, stock: 4)
    let wanted = OrderOutcome.refused([Violation(.insufficientStock, sku: "A", requested: 5, available: 4)])
    #expect(try worker.place(user, "k", total: 1) == wanted)
    try shop.sell("A", price: 120, stock: 5)
    #expect(try worker.place(user, "k", total: 500) == .totalChanged(600))
    try shop.sell("A", price: 120, stock: 5, #","availableFrom":"2090-01-01T00:00:00Z""#)
    #expect(try worker.place(user, "k", total: 600) == .refused([Violation(.notOnSaleYet, sku: "A")]))
    #expect(try worker.quantities(user) == ["A": 5])
    #expect(try shop.stock(of: "A") == 5)
    #expect(try shop.count("placed_orders") == 0)
    #expect(try shop.count("order_keys") == 0)
    #expect(try shop.count("cart_inbox") == 0)
  }

  @Test("A customer limit counts the orders that stand, and is given back once")
  func customerLimit() throws {
    let shop = try OrderingShop()
    try shop.sell("L", price: 1, stock: 50, #","customerLimit":5"#)
    let worker = try shop.worker()
    let user = CartOwner.anyUser()
    try worker.add(user, "L", 3)
    let order = try #require(try worker.place(user, "1", total: 3).placed)
    try worker.add(user, "L", 3)
    #expect(
      try worker.place(user, "2", total: 3) == .refused([Violation(.customerLimit, sku: "L", requested: 3, limit: 5)]))
    for _ in 0..<2 {
      guard case .done(let cancelled) = try worker.checkout.cancel(order.id, of: user) else {
        Issue.record("not cancelled")
        return
      }
      #expect(cancelled.status == .cancelled)
      #expect(try shop.stock(of: "L") == 50)
    }
    #expect(try worker.catalogue.products(for: ["L"]).first??.stock == 50)
    #expect(try worker.place(user, "2", total: 3).placed != nil)
    #expect(try shop.stock(of: "L") == 47)
  }

  @Test("Only its owner cancels an order, in time, and not once the shop has begun with it")
  func cancelling() throws {
    let shop = try OrderingShop()
    try shop.sell("A", stock: 5)
    let worker = try shop.worker()
    let user = CartOwner.anyUser()
    try worker.add(user, "A")
    let order = try #require(try worker.place(user, "1", total: 100).placed)
    #expect(try worker.checkout.cancel(order.id, of: .anyUser()) == .unknown)
    #expect(try worker.checkout.cancel(.random(), of: user) == .unknown)
    let late = try OrderingWorker(shop, patience: .command, cancelWithin: 0)
    guard case .refused = try late.checkout.cancel(order.id, of: user) else {
      Issue.record("cancelled too late")
      return
    }
    guard case .done(let accepted) = try worker.checkout.book.accept(order.id) else {
      Issue.record("not accepted")
      return
    }
    #expect(accepted.status == .accepted)
    #expect(try worker.checkout.cancel(order.id, of: user) == .refused(accepted))
    #expect(try worker.checkout.book.cancel(order.id, by: .shop).transition == .refused(accepted))
    #expect(try shop.stock(of: "A") == 4)
  }

  @Test("Pages of orders, the newest first, without gaps")
  func pages() throws {
    let shop = try OrderingShop()
    try shop.sell("A")
    let worker = try shop.worker()
    let user = CartOwner.anyUser()
    var placed: [OrderID] = []
    for number in 0..<7 {
      try worker.add(user, "A")
      placed.append(try #require(try worker.place(user, "\(number)", total: 100).placed).id)
    }
    var found: [OrderID] = []
    var cursor: OrderCursor?
    var pages = 0
    repeat {
      let page = try worker.checkout.orders(of: user, before: cursor, limit: 3)
      found += page.orders.map(\.id)
      #expect(page.orders.allSatisfy { $0.lines.count == 1 })
      cursor = page.next.flatMap { OrderCursor($0.text) }
      #expect(cursor == page.next)
      pages += 1
    } while cursor != nil
    #expect(found == placed.reversed())
    #expect(pages == 3)
  }

  @Test("A guest's orders become the user's at the login, and count for the limit")
  func login() throws {
    let shop = try OrderingShop()
    try shop.sell("L", price: 1, stock: 50, #","customerLimit":5"#)
    let worker = try shop.worker()
    let guest = CartOwner.anyGuest()
    let user = CartOwner.anyUser()
    guard case .guest(let pass) = guest, case .user(let name) = user else { return }
    try worker.add(guest, "L", 4)
    let order = try #require(try worker.place(guest, "k", total: 4).placed)
    try worker.add(user, "L", 2)
    _ = try worker.store.merge(pass, into: name, by: .sum, retryKey: nil, requestID: "r")
    #expect(try worker.checkout.orders(of: guest, before: nil, limit: 10).orders.isEmpty)
    #expect(try worker.checkout.order(order.id, of: user)?.id == order.id)
    #expect(
      try worker.place(user, "1", total: 2) == .refused([Violation(.customerLimit, sku: "L", requested: 2, limit: 5)]))
    // The wish may have been the guest's, and its repetition the user's.
    #expect(try worker.place(user, "k", total: 4).replayed?.id == order.id)
    #expect(try worker.place(guest, "k", total: 4) == .nothingToOrder)
  }

  @Test("Stock that an order has moved is what every other worker sees next")
  func publishing() throws {
    let shop = try OrderingShop()
    try shop.sell("A", stock: 5)
    let worker = try shop.worker()
    let other = try shop.worker()
    let user = CartOwner.anyUser()
    try other.add(.anyUser(), "A")
    try worker.add(user, "A", 5)
    #expect(try worker.place(user, "k", total: 500).placed != nil)
    let second = CartOwner.anyUser()
    let reading = try other.store.change(
      ChangeRequest(owner: second, change: .add([LineAddition(sku: "A", quantity: 1)])))
    #expect(
      reading.outcome == .refused([Violation(.outOfStock, sku: "A", requested: 1, available: 0, entry: 0)]))
  }
}
