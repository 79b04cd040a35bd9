import CartDomain
import Foundation
import Testing

@testable import CartStores

@Suite("Orders that are interrupted", .requiresRedis, .requiresPostgres)
struct CheckoutFaultTests {
  /// A worker with a cart of two A and one B of 100 each, killed at `step` of its order.
  private func killed(
    _ shop: OrderingShop, at step: Checkout.Step, _ user: CartOwner
  ) throws {
    try shop.sell("A", stock: 10)
    try shop.sell("B", stock: 10)
    let worker = try shop.worker()
    try worker.add(user, "A", 2)
    try worker.add(user, "B")
    worker.checkout.atStep = { reached throws(StoreError) in
      if reached == step { throw StoreError(.unavailable, "killed") }
    }
    #expect(throws: StoreError.self) { try worker.place(user, "k", total: 300) }
    // Its connections end with it.
    worker.postgres.close()
  }

  @Test(
    "Killed at any step: the same key leads to one order, and the lines leave once", arguments: Checkout.Step.allCases)
  func again(_ step: Checkout.Step) throws {
    let shop = try OrderingShop()
    let user = CartOwner.anyUser()
    try killed(shop, at: step, user)
    let isCommitted = step == .afterCommit || step == .afterDelivery
    #expect(try shop.count("orders") == (isCommitted ? 1 : 0))
    #expect(try shop.stock(of: "A") == (isCommitted ? 8 : 10))
    let other = try shop.worker()
    let outcome = try other.place(user, "k", total: 300)
    #expect((outcome.placed == nil) == isCommitted)
    #expect((outcome.replayed == nil) == !isCommitted)
    #expect(try other.quantities(user) == [:])
    #expect(try shop.stock(of: "A") == 8)
    #expect(try shop.count("orders") == 1)
    let version = try other.store.cart(of: user).cart.version
    #expect((outcome.placed ?? outcome.replayed)?.cartVersion == version)
    _ = try other.store.sync(user)
    #expect(try shop.count("cart_inbox") == 0)
  }

  @Test("Killed after the commit: the next order does not sell the same pieces again")
  func nextOrder() throws {
    let shop = try OrderingShop()
    let user = CartOwner.anyUser()
    try killed(shop, at: .afterCommit, user)
    let other = try shop.worker()
    #expect(try other.quantities(user) == ["A": 2, "B": 1])
    try other.add(user, "A")
    #expect(try other.place(user, "next", total: 400) == .totalChanged(100))
    #expect(try other.place(user, "next", total: 100).placed?.lines.map(\.quantity) == [1])
    #expect(try other.quantities(user) == [:])
    #expect(try shop.stock(of: "A") == 7)
  }

  @Test("An order that is asked for again says what it said, also where that delivers another one's command")
  func sameVersion() throws {
    let shop = try OrderingShop()
    let user = CartOwner.anyUser()
    let worker = try shop.worker()
    try shop.sell("C", stock: 5)
    try worker.add(user, "C")
    let first = try #require(try worker.place(user, "first", total: 100).placed)
    try killed(shop, at: .afterCommit, user)
    let again = try #require(try worker.place(user, "first", total: 100).replayed)
    #expect(again.cartVersion == first.cartVersion)
    #expect(try worker.quantities(user) == [:])
  }

  @Test("Killed after the commit: the syncer carries the command, and makes the stock known")
  func syncer() throws {
    let shop = try OrderingShop()
    let user = CartOwner.anyUser()
    try killed(shop, at: .afterCommit, user)
    let other = try shop.worker()
    let syncer = try shop.syncer()
    let until = Date().addingTimeInterval(20)
    while try other.quantities(user) != [:], Date() < until { try syncer.turn() }
    #expect(try other.quantities(user) == [:])
    #expect(try other.catalogue.products(for: ["A"]).first??.stock == 8)
    #expect(try shop.count("cart_inbox") == 0)
  }

  @Test("PostgreSQL put back to a state before an order: the stock is shown as it is again")
  func putBack() throws {
    let shop = try OrderingShop()
    let user = CartOwner.anyUser()
    let worker = try shop.worker()
    try shop.sell("A", stock: 10)
    let syncer = try shop.syncer()
    try syncer.turn()
    _ = try shop.schema.rows("CREATE TABLE before AS SELECT stock, moved FROM product_stock")
    try worker.add(user, "A", 2)
    #expect(try worker.place(user, "k", total: 200).placed != nil)
    try syncer.turn()
    #expect(try worker.catalogue.products(for: ["A"]).first??.stock == 8)
    _ = try shop.schema.rows("UPDATE product_stock SET (stock, moved) = (SELECT stock, moved FROM before)")
    _ = try shop.schema.rows("UPDATE database_lineage SET tag = 'older'")
    try syncer.heartbeat()
    _ = try syncer.run(.marking, from: nil, until: .max)
    worker.catalogue.invalidateCatalogueVersion()
    #expect(try worker.catalogue.products(for: ["A"]).first??.stock == 10)
  }

  @Test("Killed after the commit, and Redis emptied: the cart comes back without what was ordered")
  func emptied() throws {
    let shop = try OrderingShop()
    let user = CartOwner.anyUser()
    try killed(shop, at: .afterCommit, user)
    let other = try shop.worker()
    try other.redis.removeAll()
    #expect(try shop.worker().quantities(user) == [:])
    #expect(try other.place(user, "k", total: 300).replayed != nil)
    #expect(try shop.stock(of: "A") == 8)
  }

  @Test("What came into the cart during the order stays; a line removed and added anew stays whole")
  func meanwhile() throws {
    let shop = try OrderingShop()
    try shop.sell("A", stock: 10)
    try shop.sell("B", stock: 10)
    try shop.sell("C", stock: 10)
    let worker = try shop.worker()
    let other = try shop.worker()
    let user = CartOwner.anyUser()
    for sku in ["A", "B"] as [SKU] { try worker.add(user, sku, 2) }
    var failure: (any Error)?
    worker.checkout.atStep = { step throws(StoreError) in
      guard step == .afterCommit else { return }
      do {
        try other.add(user, "A", 3)
        _ = try other.store.change(ChangeRequest(owner: user, change: .remove(.skus(["B"]))))
        try other.add(user, "B", 1)
        try other.add(user, "C", 1)
      } catch { failure = error }
    }
    let order = try #require(try worker.place(user, "k", total: 400).placed)
    #expect(failure == nil)
    #expect(order.lines.map(\.quantity) == [2, 2])
    #expect(try worker.quantities(user) == ["A": 3, "B": 1, "C": 1])
    #expect(order.cartVersion == (try worker.store.cart(of: user).cart.version))
  }

  @Test("Without PostgreSQL nothing is ordered, and the cart is as it was")
  func away() throws {
    let shop = try OrderingShop()
    try shop.sell("A", stock: 10)
    let user = CartOwner.anyUser()
    try shop.worker().add(user, "A", 2)
    let away = PostgresConnection(try PostgresConfiguration(connectionString: "host=/nowhere dbname=none"))
    let stores = StoreGraph(
      RedisConnection(shop.redis), away, source: PostgresCatalogue(try shop.schema.connection()), cancelWithin: 60)
    #expect(throws: StoreError.self) {
      try stores.checkout.place(
        OrderRequest(owner: user, key: OrderKey(text: "k", request: [0]), expectedTotal: 200))
    }
    let cart = try stores.store.cart(of: user).cart
    #expect(cart.lines.map(\.quantity) == [2])
    #expect(cart.version == 1)
  }

  @Test("A key that another transaction holds is in progress")
  func inProgress() throws {
    let shop = try OrderingShop()
    try shop.sell("A", stock: 10)
    let worker = try shop.worker()
    let user = CartOwner.anyUser()
    try worker.add(user, "A")
    let other = try shop.worker()
    var second: OrderOutcome?
    worker.checkout.atStep = { step throws(StoreError) in
      guard step == .beforeCommit else { return }
      do { second = try other.place(user, "k", total: 100) } catch { throw StoreError(.corrupt, "\(error)") }
    }
    #expect(try worker.place(user, "k", total: 100).placed != nil)
    #expect(second == .inProgress)
  }

  @Test("A stock that another holds: the order is told so soon, nothing has happened, and PostgreSQL is not left alone")
  func lockTimeout() throws {
    let shop = try OrderingShop()
    try shop.sell("A", stock: 10)
    try shop.sell("B", stock: 10)
    let worker = try shop.worker(patience: .request)
    let user = CartOwner.anyUser()
    let other = CartOwner.anyUser()
    try worker.add(user, "A")
    try worker.add(other, "B")
    var areLikelySlow: [Bool] = []
    worker.checkout.mayBegin = { isLikelySlow in
      areLikelySlow.append(isLikelySlow)
      return true
    }
    try shop.schema.order("SELECT FROM product_stock WHERE sku = 'A' FOR UPDATE") {
      // The time-out of a whole statement would be another code.
      let error = #expect(throws: StoreError.self) { try worker.place(user, "k", total: 100) }
      #expect(error?.code == .overloaded)
      #expect(error?.isOutcomeUnknown == false)
      // Others' orders, and what the same worker asks PostgreSQL for, go on.
      #expect(throws: Never.self) { try #require(try worker.place(other, "k", total: 100).placed) }
    }
    #expect(try worker.place(user, "k", total: 100).placed != nil)
    #expect(try shop.stock(of: "A") == 9)
    // What could not be had is known as such until it was had.
    try worker.add(user, "A")
    #expect(try worker.place(user, "l", total: 100).placed != nil)
    #expect(areLikelySlow == [false, true, false, true, false])
  }

  @Test("Many locks that take too long together are no reason to leave PostgreSQL alone")
  func lockQueue() throws {
    let shop = try OrderingShop()
    try shop.sell("A", stock: 10)
    let worker = try shop.worker()
    let user = CartOwner.anyUser()
    try worker.add(user, "A")
    var configuration = try PostgresConfiguration(
      connectionString: #require(PostgresTesting.database), schema: shop.schema.name, applicationName: "tests")
    // As if many waits, each of them short enough, came to more than a statement may take.
    configuration.statementTimeout = 300
    configuration.rowLockTimeout = 60_000
    let checkout = StoreGraph(RedisConnection(shop.redis), PostgresConnection(configuration)).checkout
    let request = OrderRequest(owner: user, key: OrderKey(text: "k", request: [0]), expectedTotal: 100)
    try shop.schema.order("SELECT FROM product_stock WHERE sku = 'A' FOR UPDATE") {
      let error = #expect(throws: StoreError.self) { try checkout.place(request) }
      #expect(error?.code == .overloaded)
    }
    #expect(try checkout.place(request).placed != nil)
  }

  @Test("A cart whose row another holds is not brought back, and the shopper is told so soon")
  func lockedCart() throws {
    let shop = try OrderingShop()
    try shop.sell("A", stock: 10)
    let worker = try shop.worker(patience: .request)
    let user = CartOwner.anyUser()
    try worker.add(user, "A")
    _ = try worker.store.sync(user)
    try worker.redis.removeAll()
    let other = CartOwner.anyUser()
    guard case .user(let name) = user else { return }
    try shop.schema.order("SELECT FROM carts WHERE owner_id = '\(name.text)' FOR UPDATE") {
      let error = #expect(throws: StoreError.self) { try worker.store.cart(of: user) }
      #expect(error?.code == .overloaded)
      #expect(throws: Never.self) { try worker.add(other, "A") }
    }
    #expect(try worker.quantities(user) == ["A": 1])
  }

  @Test("Where too many are in orders, one more is refused at once and has asked PostgreSQL nothing")
  func crowded() throws {
    let shop = try OrderingShop()
    try shop.sell("A", stock: 10)
    let worker = try shop.worker()
    let user = CartOwner.anyUser()
    try worker.add(user, "A")
    var mayBegin = false
    var inside = 0
    worker.checkout.mayBegin = { _ in
      inside += mayBegin ? 1 : 0
      return mayBegin
    }
    worker.checkout.didEnd = { inside -= 1 }
    let error = #expect(throws: StoreError.self) { try worker.place(user, "k", total: 100) }
    #expect(error?.code == .overloaded)
    #expect(inside == 0)
    mayBegin = true
    worker.checkout.atStep = { step throws(StoreError) in
      if step == .beforeCommit { #expect(inside == 1) }
      if step == .afterCommit { #expect(inside == 0) }
    }
    let order = try #require(try worker.place(user, "k", total: 100).placed)
    mayBegin = false
    #expect(throws: StoreError.self) { try worker.checkout.cancel(order.id, of: user) }
    #expect(try shop.stock(of: "A") == 9)
    #expect(inside == 0)
  }

  @Test("A backend that is ended in the transaction leaves no order, and the next attempt has one")
  func terminated() throws {
    let shop = try OrderingShop()
    try shop.sell("A", stock: 10)
    let worker = try shop.worker()
    let user = CartOwner.anyUser()
    try worker.add(user, "A")
    let pid = try worker.postgres.execute("SELECT pg_backend_pid()", label: "pid").text(0, 0) ?? ""
    var isFirst = true
    worker.checkout.atStep = { step throws(StoreError) in
      guard step == .beforeCommit, isFirst else { return }
      isFirst = false
      _ = try? shop.schema.rows("SELECT pg_terminate_backend(\(pid), 5000)")
    }
    // Nothing was sent that could have been carried out, or the key says what became of it.
    let outcome = try? worker.place(user, "k", total: 100)
    worker.checkout.atStep = { _ in }
    if outcome?.placed == nil { #expect(try worker.place(user, "k", total: 100).placed != nil) }
    #expect(try shop.count("orders") == 1)
    #expect(try shop.stock(of: "A") == 9)
  }

  @Test("A guest logs in while the order is placed: what was ordered is not in the user's cart as well")
  func loginMeanwhile() throws {
    let shop = try OrderingShop()
    try shop.sell("A", stock: 10)
    try shop.sell("B", stock: 10)
    let worker = try shop.worker()
    let other = try shop.worker()
    let guest = CartOwner.anyGuest()
    let user = CartOwner.anyUser()
    guard case .guest(let pass) = guest, case .user(let name) = user else { return }
    try worker.add(guest, "A", 2)
    try worker.add(guest, "B", 1)
    worker.checkout.atStep = { step throws(StoreError) in
      guard step == .beforeTransaction else { return }
      // Somebody has frozen the cart, and dies.
      let carts = RedisCarts(other.redis, histories: worker.checkout.restorer.carts.histories)
      let history = try carts.histories.current()
      guard case .current(let hash, _) = try carts.read([guest], in: history)[0] else { return }
      _ = try carts.freeze(hash, into: "sum \(name.text)", in: history)
    }
    let outcome = try worker.place(guest, "k", total: 200, skus: ["A"])
    #expect(outcome.placed?.lines.map(\.quantity) == [2])
    _ = try other.store.merge(pass, into: name, by: .sum, retryKey: nil, requestID: "r")
    #expect(try other.quantities(user) == ["B": 1])
    #expect(try other.checkout.orders(of: user, before: nil, limit: 5).orders.count == 1)
    #expect(try shop.count("cart_inbox") == 0)
  }

  @Test("A commit without an answer is decided by the key, and by nothing else")
  func unknownCommit() throws {
    let shop = try OrderingShop()
    try shop.sell("A", stock: 10)
    let worker = try shop.worker()
    let other = try shop.worker()
    let user = CartOwner.anyUser()
    try worker.add(user, "A")
    let request = OrderRequest(
      owner: user, key: OrderKey(text: "k", request: [0]), expectedTotal: 100, requestID: "request")
    let unknown = StoreError(.unavailable, "no answer", isOutcomeUnknown: true)
    guard case .startOver = try worker.checkout.decide(request, unknown) else {
      Issue.record("no transaction has held the key, and none has used it")
      return
    }
    var isThrown = false
    other.checkout.atStep = { step throws(StoreError) in
      guard step == .beforeCommit else { return }
      // It may still be committed.
      do throws(StoreError) { _ = try worker.checkout.decide(request, unknown) } catch {
        isThrown = error.isOutcomeUnknown
      }
    }
    let order = try #require(try other.checkout.place(request).placed)
    #expect(isThrown)
    guard case .replay(let id) = try worker.checkout.decide(request, unknown) else {
      Issue.record("the key was used")
      return
    }
    #expect(id == order.id)
  }
}
