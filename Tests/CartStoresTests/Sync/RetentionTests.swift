import CartDomain
import Testing

@testable import CartStores

@Suite("What PostgreSQL keeps of guests who are over", .requiresRedis, .requiresPostgres)
struct RetentionTests {
  private let stores: TwoStores
  private let guest = CartOwner.anyGuest()
  private let user = CartOwner.anyUser()

  init() throws {
    stores = try TwoStores()
    stores.shop.put("A")
  }

  private func merge() throws -> MergeReading {
    guard case .guest(let id) = guest, case .user(let name) = user else { throw StoreError(.corrupt, "owner") }
    return try stores.store.merge(id, into: name, by: .sum, retryKey: nil, requestID: "")
  }

  private func execute(_ sql: String) throws { try stores.archive.connection.execute(sql, label: "test") }

  @Test("A guest who logs in before the cart was persisted leaves a row with an end")
  func hasty() throws {
    try stores.add(guest, "A")
    guard case .merged = try merge() else {
      Issue.record("is not merged")
      return
    }
    #expect(
      try stores.schema.rows(
        """
        SELECT state, expires_at BETWEEN now() + interval '29 days' AND now() + interval '31 days' FROM carts
        WHERE owner_kind = 'guest'
        """) == [["2", "t"]])
  }

  @Test("Rows of guests without an end, as former versions have left them, go as if they had one")
  func endless() throws {
    let schema = try PostgresSchema()
    _ = try schema.rows(
      """
      INSERT INTO carts (owner_kind, owner_id, state, version, updated_at, expires_at)
      VALUES ('guest', 'a', 2, 1, now() - interval '32 days', NULL), ('guest', 'b', 2, 1, now() - interval '30 days', NULL),
        ('guest', 'c', 0, 1, now() - interval '90 days', now()), ('user', 'd', 0, 1, now() - interval '90 days', NULL)
      """)
    let archive = PostgresCarts(try schema.connection())
    #expect(try archive.sweep(after: nil, limit: 100).removed == 1)
    #expect(try schema.rows("SELECT owner_id FROM carts ORDER BY 1") == [["b"], ["c"], ["d"]])
  }

  @Test("A row that was made to compare a cart takes the end that the cart has")
  func compared() throws {
    try stores.add(guest, "A")
    let key = stores.key(of: guest)
    let end = String(RealTime.now.seconds + 1_000)
    try stores.redis.run("HSET", key, "#x", end, "#l", "1")
    try stores.redis.run("EXPIREAT", key, end)
    #expect(try stores.store.cart(of: guest).cart.lines.count == 1)
    #expect(
      try stores.schema.rows("SELECT version, expires_at > now() + interval '29 days' FROM carts") == [["0", "t"]])
    _ = try stores.persister.sync(guest)
    #expect(try stores.schema.rows("SELECT extract(epoch FROM expires_at)::bigint FROM carts") == [[end]])
    try stores.expectEqual(guest)
  }

  @Test("A merge is forgotten after the guest's end, and its guest stays spent")
  func forgotten() throws {
    try stores.add(guest, "A", 2)
    _ = try merge()
    #expect(try stores.archive.removeOldMerges(orderKeysDays: 1, limit: 10) == 0)
    try execute("UPDATE cart_merges SET merged_at = merged_at - interval '31 days 1 minute'")
    #expect(try stores.archive.removeOldMerges(orderKeysDays: 1, limit: 10) == 1)
    // Redis has let go of the guest by then, and the row in PostgreSQL is over as well.
    try stores.redis.run("DEL", stores.key(of: guest))
    try execute("UPDATE carts SET expires_at = expires_at - interval '31 days' WHERE owner_kind = 'guest'")
    #expect(try merge() == .nothing)
    try execute("DELETE FROM carts WHERE owner_kind = 'guest'")
    #expect(try stores.store.cart(of: guest).isGone)
    #expect(try stores.store.cart(of: user).cart["A"]?.quantity == 2)
  }

  @Test("Where the guest had ordered, a merge is kept for as long as keys of orders are; all goes in portions")
  func portions() throws {
    try execute(
      """
      INSERT INTO cart_merges (guest_id, user_id, strategy, inbox_number, has_orders, merged_at)
      SELECT 'g' || n, 'u', 'sum', n, n % 4 = 0, now() - n * interval '10 minutes' FROM generate_series(1, 60000) AS n
      """)
    func count(_ condition: String) throws -> Int {
      Int(try stores.schema.rows("SELECT count(*) FROM cart_merges WHERE \(condition)")[0][0] ?? "") ?? -1
    }
    let day = 144
    let old = (31 * day)...60_000
    #expect(try stores.archive.removeOldMerges(orderKeysDays: 400, limit: 1_000) == 1_000)
    var removed = 1_000
    while case let more = try stores.archive.removeOldMerges(orderKeysDays: 400, limit: 20_000), more > 0 {
      removed += more
    }
    #expect(removed == old.count { $0 % 4 != 0 || $0 >= 400 * day })
    #expect(try count("NOT has_orders") == (1..<old.lowerBound).count { $0 % 4 != 0 })
    #expect(
      try stores.archive.removeOldMerges(orderKeysDays: 0, limit: 60_000)
        == old.count { $0 % 4 == 0 && $0 < 400 * day })
    #expect(try count("true") == old.lowerBound - 1)
  }

  @Test("Old merges are found by an index, however many there are")
  func plan() throws {
    try execute(
      """
      INSERT INTO cart_merges (guest_id, user_id, strategy, inbox_number, has_orders, merged_at)
      SELECT 'g' || n, 'u', 'sum', n, n % 4 = 0, now() - n * interval '1 minute' FROM generate_series(1, 100000) AS n
      """)
    try execute("ANALYZE cart_merges")
    let sql = PostgresCarts.removeOldMerges.sql.replacing("$1", with: "400").replacing("$2", with: "1000")
    let plan = try stores.schema.rows("EXPLAIN \(sql)").map { $0[0] ?? "" }.joined(separator: "\n")
    #expect(!plan.contains("Seq Scan"), "\(plan)")
    #expect(plan.contains("cart_merges_by_age"), "\(plan)")
  }

  @Test("A merge notes whether the guest had ordered")
  func ordered() throws {
    let shop = try OrderingShop()
    try shop.sell("A", stock: 10)
    let worker = try shop.worker()
    for orders in [false, true] {
      let pass = CartOwner.anyGuest()
      guard case .guest(let id) = pass, case .user(let name) = CartOwner.anyUser() else { return }
      try worker.add(pass, "A", 2)
      if orders { #expect(try worker.place(pass, "k", total: 200).placed != nil) }
      _ = try worker.store.merge(id, into: name, by: .sum, retryKey: nil, requestID: "r")
      #expect(
        try shop.schema.rows("SELECT has_orders FROM cart_merges WHERE guest_id = '\(id.text)'") == [
          [orders ? "t" : "f"]
        ])
    }
  }
}
