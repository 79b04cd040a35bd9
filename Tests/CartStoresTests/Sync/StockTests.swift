import CartDomain
import Foundation
import Testing

@testable import CartStores

@Suite("Stock: orders, imports and what is told of it", .requiresRedis, .requiresPostgres)
struct StockTests {
  let shop: OrderingShop
  let catalogue: PostgresCatalogue

  init() throws {
    shop = try OrderingShop()
    catalogue = PostgresCatalogue(try shop.schema.connection())
  }

  private func line(_ sku: String, _ stock: String, price: Int = 100) -> String {
    #"{"sku":"\#(sku)","name":"n","unitPrice":\#(price),"currency":"GBP","stock":\#(stock)}"# + "\n"
  }

  /// Imports without letting the stock follow.
  @discardableResult
  private func importOnly(_ text: String) throws -> ImportReport {
    try CatalogueImport(shop.schema.connection()).run(ImportBytes(Array(text.utf8)), .ndjson) {
      Issue.record("line \($0.line): \($0.reason)")
    }
  }

  private func shown(_ sku: SKU) throws -> Int? { try shop.worker().catalogue.products(for: [sku])[0]?.stock }

  @Test("Only counted products have a row, and it stays when they are not counted any more")
  func rows() throws {
    try shop.sell("A", stock: 3)
    try shop.sell("B")
    let first = try #require(try shop.schema.product("A"))
    #expect(try shop.schema.rows("SELECT sku, stock FROM product_stock") == [["A", "3"]])
    try shop.schema.loadAll(#"{"sku":"A","stock":null}"#)
    let second = try #require(try shop.schema.product("A"))
    #expect(second.stock == nil && second.moved > first.moved && second.catalogueVersion == first.catalogueVersion)
    try shop.schema.loadAll(#"{"sku":"A","stock":7}"#)
    #expect(try shop.schema.rows("SELECT sku, stock FROM skus ORDER BY sku") == [["A", "7"], ["B", nil]])
  }

  @Test("Stock that is gone between judging and taking: nothing is sold, and the refusal says what is left")
  func race() throws {
    try shop.sell("A", stock: 5)
    try shop.sell("B", stock: 5)
    let worker = try shop.worker()
    let user = CartOwner.anyUser()
    try worker.add(user, "A", 3)
    try worker.add(user, "B", 1)
    var rivals: [Int] = []
    var judged = 0
    worker.checkout.atStep = { step throws(StoreError) in
      guard step == .beforeStock else { return }
      judged += 1
      guard let left = rivals.popLast() else { return }
      _ = try? shop.schema.rows("UPDATE product_stock SET stock = \(left), moved = moved + 1 WHERE sku = 'A'")
    }
    rivals = [2]
    #expect(
      try worker.place(user, "k", total: 400)
        == .refused([Violation(.insufficientStock, sku: "A", requested: 3, available: 2)]))
    #expect(judged == 1)
    #expect(try shop.count("placed_orders") == 0 && shop.count("order_keys") == 0 && shop.count("cart_inbox") == 0)
    #expect(try shop.stock(of: "A") == 2 && shop.stock(of: "B") == 5)
    // Enough is left all the same.
    _ = try shop.schema.rows("UPDATE product_stock SET stock = 5 WHERE sku = 'A'")
    rivals = [4]
    #expect(try worker.place(user, "k", total: 400).placed != nil)
    #expect(try shop.stock(of: "A") == 1 && shop.stock(of: "B") == 4)
  }

  @Test("What is sold is not locked: an order goes on while an import changes the price")
  func importAtWork() throws {
    try shop.sell("A", price: 100, stock: 5)
    let worker = try shop.worker(patience: .request)
    let user = CartOwner.anyUser()
    try worker.add(user, "A")
    let importing = try shop.schema.connection()
    try importing.begin()
    let staging = PostgresCatalogueStaging(importing)
    try staging.open()
    var fields = ProductFields()
    _ = fields.set(.unitPrice, .integer(200))
    _ = fields.set(.stock, .integer(50))
    _ = try staging.stage([ProductPatch(line: 1, sku: "A", fields: fields)])
    _ = try staging.apply()
    // As if it had been placed before.
    #expect(try worker.place(user, "k", total: 100).placed != nil)
    try importing.commit()
    #expect(try shop.stock(of: "A") == 4)
    try worker.add(user, "A")
    #expect(try worker.place(user, "l", total: 100) == .totalChanged(200))
    while try catalogue.applyStockChanges(limit: 300).hasMore {}
    // What was sold since the import has looked at the stock stays sold.
    #expect(try shop.stock(of: "A") == 49)
  }

  @Test(
    "What is sold before the stock of an import has followed is not given back; a later import counts from the former")
  func soldMeanwhile() throws {
    try shop.sell("A", price: 100, stock: 5)
    try importOnly(line("A", "50"))
    let worker = try shop.worker()
    let user = CartOwner.anyUser()
    try worker.add(user, "A", 3)
    #expect(try worker.place(user, "k", total: 300).placed != nil)
    // 47 would be there now.
    try importOnly(line("A", "20"))
    try worker.add(user, "A", 2)
    #expect(try worker.place(user, "l", total: 200).placed != nil)
    while try catalogue.applyStockChanges(limit: 1).hasMore {}
    #expect(try shop.stock(of: "A") == 18)
    try importOnly(line("A", "0"))
    while try catalogue.applyStockChanges(limit: 300).hasMore {}
    #expect(try shop.stock(of: "A") == 0)
  }

  @Test("A feed's stock follows in slices, in the order of the imports, and the last one holds")
  func slices() throws {
    let skus = (0..<10).map { "S\($0)" }
    let report = try importOnly(skus.map { line($0, "1") }.joined())
    // What is counted for the first time is there at once.
    #expect(report.lastStockChange == nil && report.added == 10)
    #expect(try shop.stock(of: "S3") == 1)
    let second = try importOnly(skus.map { line($0, "2") }.joined())
    let third = try importOnly(line("S3", "3"))
    #expect(second.changed == 10 && third.changed == 1)
    // What the journal leads to already is no change.
    #expect(try importOnly(line("S3", "3")).changed == 0)
    #expect(try shop.stock(of: "S3") == 1)
    let last = try #require(third.lastStockChange)
    #expect(try !catalogue.isStockApplied(through: last))
    var slices: [Int] = []
    while true {
      let applied = try catalogue.applyStockChanges(limit: 4)
      slices.append(applied.moved.count)
      if !applied.hasMore { break }
    }
    #expect(slices == [4, 4, 2, 0] || slices == [4, 4, 3])
    #expect(try catalogue.isStockApplied(through: last))
    #expect(try shop.schema.rows("SELECT DISTINCT stock FROM product_stock ORDER BY 1") == [["2"], ["3"]])
    #expect(try shop.stock(of: "S3") == 3)
  }

  @Test("A stock that an order holds is passed over and followed later; the others do not wait for it")
  func heldStock() throws {
    try importOnly(["A", "B", "C"].map { line($0, "1") }.joined())
    try importOnly(["A", "B", "C"].map { line($0, "2") }.joined())
    try shop.schema.order("SELECT FROM product_stock WHERE sku = 'B' FOR UPDATE") {
      #expect(throws: Never.self) {
        let first = try catalogue.applyStockChanges(limit: 300)
        #expect(first.moved.map(\.sku.text).sorted() == ["A", "C"] && first.hasMore)
        let second = try catalogue.applyStockChanges(limit: 300)
        #expect(second.moved.isEmpty && second.hasMore)
      }
    }
    #expect(try catalogue.applyStockChanges(limit: 300).moved.map(\.sku) == ["B"])
    #expect(try catalogue.applyStockChanges(limit: 300) == PostgresCatalogue.AppliedStock(moved: [], hasMore: false))
  }

  @Test("An importer that dies after its commit: the syncer lets the stock follow and makes it known")
  func deadImporter() throws {
    try shop.sell("A", stock: 1)
    #expect(try shown("A") == 1)
    try importOnly(line("A", "9"))
    let syncer = try shop.syncer()
    _ = try syncer.run(.stock, from: nil, until: .max)
    #expect(try shop.stock(of: "A") == 9)
    #expect(try shown("A") == 9)
  }

  @Test("Stock that moved and was never told of is found page by page; an older stock never replaces a newer one")
  func sweep() throws {
    let skus = (0..<700).map { "S\($0)" }
    try importOnly(skus.map { line($0, "10") }.joined())
    try shop.worker().catalogue.publish()
    _ = try shop.schema.rows(
      "UPDATE product_stock SET stock = 4, moved = next_generation(moved) + length(sku) WHERE sku <> 'S5'")
    let redis = try shop.worker()
    let keeper = StockKeeper(catalogue, catalogue: redis.catalogue)
    var steps = 1
    while try !keeper.step() { steps += 1 }
    #expect(steps == 3)
    #expect(try shown("S699") == 4 && shown("S5") == 10)
    // An order's own word comes late, after a later movement was told of.
    let moved = try #require(try shop.schema.product("S7")?.moved)
    #expect(
      try redis.catalogue.publishStock([
        StockMovement(sku: "S7", stock: 9, moved: moved - 1), StockMovement(sku: "S8", stock: 9, moved: moved + 10),
      ]) == 1)
    #expect(try shown("S7") == 4 && shown("S8") == 9)
    // Nor does a whole entry that was read before it bring the stock back, and its revision comes all the same.
    try shop.schema.loadAll(#"{"sku":"S8","unitPrice":150}"#)
    try redis.catalogue.publish()
    let product = try #require(try redis.catalogue.products(for: ["S8"])[0])
    #expect(product.stock == 9 && product.content.unitPrice.minorUnits == 150)
  }

  @Test("Many guests' orders under one key: an owner's own is found by its name")
  func popularKey() throws {
    try shop.sell("A", stock: 100)
    let worker = try shop.worker(patience: .request)
    let user = CartOwner.anyUser()
    let guest = CartOwner.anyGuest()
    guard case .guest(let pass) = guest, case .user(let name) = user else { return }
    try worker.add(guest, "A")
    let order = try #require(try worker.place(guest, "1", total: 100).placed)
    _ = try shop.schema.rows(
      """
      INSERT INTO order_keys (key, owner_kind, owner_id, request, order_id)
      SELECT '1', 'guest', 'g' || n, '\\x00', 'o' || n FROM generate_series(1, 20000) n;
      ANALYZE order_keys; ANALYZE cart_merges
      """)
    try worker.add(user, "A")
    // Its own key is free, and after the login the guest's stands for the same wish.
    #expect(try worker.place(user, "1", total: 100).placed != nil)
    _ = try worker.store.merge(pass, into: name, by: .sum, retryKey: nil, requestID: "r")
    let late = CartOwner.anyUser()
    try worker.add(late, "A")
    #expect(try worker.place(late, "1", total: 100, body: 5).placed != nil)
    #expect(try worker.checkout.order(order.id, of: user)?.id == order.id)
    // Whatever the statistics say, no more rows of order_keys are read than there are owners to ask for.
    #expect(try worker.place(user, "1", total: 1, body: 9, version: 99) == .keyReused)
    let plan = try worker.postgres.execute(
      "EXPLAIN (ANALYZE, BUFFERS OFF, TIMING OFF, COSTS OFF) EXECUTE order_claim ('user', '\(name.text)', '1', '\\x00')",
      label: "plan")
    let text = (0..<plan.rowCount).compactMap { plan.text($0, 0) }.joined(separator: "\n")
    #expect(!text.contains("Rows Removed by Filter") && text.contains("cart_merges_by_user"), "\(text)")
  }

  @Test("Keys older than so many days are removed, some at a time, and are free again")
  func oldKeys() throws {
    try shop.sell("A", stock: 100)
    let worker = try shop.worker()
    let user = CartOwner.anyUser()
    for number in 0..<5 {
      try worker.add(user, "A")
      #expect(try worker.place(user, "\(number)", total: 100).placed != nil)
    }
    _ = try shop.schema.rows("UPDATE order_keys SET created_at = now() - interval '401 days' WHERE key < '3'")
    let book = worker.checkout.book
    #expect(try book.removeOldKeys(olderThanDays: 402, limit: 10) == 0)
    #expect(try book.removeOldKeys(olderThanDays: 400, limit: 2) == 2)
    #expect(try book.removeOldKeys(olderThanDays: 400, limit: 2) == 1)
    #expect(try book.removeOldKeys(olderThanDays: 400, limit: 2) == 0)
    try worker.add(user, "A")
    #expect(try worker.place(user, "3", total: 100).replayed != nil)
    #expect(try worker.place(user, "0", total: 100).placed != nil)
  }

  @Test("What is asked from time to time is found by an index, however much there is")
  func plans() throws {
    let worker = try shop.worker()
    _ = try worker.checkout.book.removeOldKeys(olderThanDays: 400, limit: 1)
    _ = try catalogue.movedStock(after: 0, limit: 1)
    _ = try catalogue.applyStockChanges(limit: 1)
    _ = try shop.schema.rows(
      """
      INSERT INTO product_stock (sku, stock, moved)
      SELECT 'S' || n, 1, (extract(epoch FROM now()) * 1000)::bigint - n FROM generate_series(1, 200000) n;
      INSERT INTO stock_changes (sku, stock) SELECT 'S' || n, 2 FROM generate_series(1, 200000) n;
      INSERT INTO order_keys (key, owner_kind, owner_id, request, order_id, created_at)
      SELECT 'k', 'user', 'u' || n, '\\x00', 'o' || n, now() - n * interval '1 minute' FROM generate_series(1, 50000) n;
      ANALYZE product_stock; ANALYZE stock_changes; ANALYZE order_keys
      """)
    func plan(_ connection: PostgresConnection, _ execution: String) throws -> String {
      let rows = try connection.execute("EXPLAIN EXECUTE \(execution)", label: "plan")
      return (0..<rows.rowCount).compactMap { rows.text($0, 0) }.joined(separator: "\n")
    }
    let keys = try plan(worker.postgres, "order_remove_old_keys (20, 500)")
    #expect(keys.contains("order_keys_by_age") && !keys.contains("Seq Scan"), "\(keys)")
    let since = try catalogue.clock() - 2_000
    let moved = try plan(catalogue.connection, "stock_moved (\(since), '', 300)")
    #expect(moved.contains("product_stock_by_movement") && !moved.contains("Sort"), "\(moved)")
    let slice = try plan(catalogue.connection, "stock_apply (300)")
    #expect(slice.contains("stock_changes_pkey") && !slice.contains("Seq Scan"), "\(slice)")
  }
}
