import CartDomain
import Foundation
import Testing

@testable import CartStores

@Suite("Merging a guest's cart into a user's", .requiresRedis, .requiresPostgres)
struct MergeTests {
  /// A guest and a user with lines of SKU and quantity.
  private func pair(
    _ stores: TwoStores, guest: [(SKU, Int)], user: [(SKU, Int)]
  ) throws -> (guest: GuestCartID, owner: CartOwner, user: UserID, target: CartOwner) {
    let owner = CartOwner.anyGuest()
    let target = CartOwner.anyUser()
    guard case .guest(let id) = owner, case .user(let name) = target else { throw StoreError(.corrupt, "owner") }
    for (sku, quantity) in guest {
      if stores.shop.product(sku) == nil { stores.shop.put(sku) }
      try stores.add(owner, sku, quantity)
    }
    for (sku, quantity) in user {
      if stores.shop.product(sku) == nil { stores.shop.put(sku) }
      try stores.add(target, sku, quantity)
    }
    return (id, owner, name, target)
  }

  private func quantities(_ stores: TwoStores, _ owner: CartOwner) throws -> [String: Int] {
    let lines = try stores.store.cart(of: owner).cart.lines
    return Dictionary(uniqueKeysWithValues: lines.map { ($0.sku.text, $0.quantity) })
  }

  @Test(
    "Lines in both carts follow the strategy, and none is lost",
    arguments: [
      (MergeStrategy.sum, 5, CartMerge.Outcome.summed), (.overwrite, 2, .overwritten), (.keep, 3, .kept),
      (.max, 3, .kept),
    ])
  func strategies(_ strategy: MergeStrategy, _ quantity: Int, _ outcome: CartMerge.Outcome) throws {
    let stores = try TwoStores()
    let pair = try pair(stores, guest: [("A", 2), ("G", 1)], user: [("A", 3), ("U", 4)])
    let born = try stores.store.cart(of: pair.target).cart.lines[0].born
    let reading = try stores.store.merge(pair.guest, into: pair.user, by: strategy, retryKey: nil, requestID: "r")
    #expect(
      reading
        == .merged(
          strategy,
          [
            CartMerge.Report(sku: "A", outcome: outcome, quantity: quantity),
            CartMerge.Report(sku: "G", outcome: .added, quantity: 1),
          ]))
    #expect(try quantities(stores, pair.target) == ["A": quantity, "G": 1, "U": 4])
    #expect(try stores.store.cart(of: pair.target).cart["A"]?.born == born)
    #expect(try stores.store.cart(of: pair.owner).isGone)
    #expect(try stores.store.merge(pair.guest, into: pair.user, by: strategy, retryKey: nil, requestID: "") == .nothing)
    try stores.expectEqual(pair.target)
    #expect(try stores.schema.rows("SELECT count(*) FROM cart_inbox") == [["0"]])
    #expect(try stores.add(pair.owner, "A").reading.isGone)
  }

  @Test(
    "An empty user's cart takes all of a full guest's, with its snapshots and times, whatever the strategy",
    arguments: MergeStrategy.allCases, [false, true])
  func intoEmpty(_ strategy: MergeStrategy, hadLines: Bool) throws {
    let stores = try TwoStores()
    let pair = try pair(stores, guest: [("A", 2), ("B", 7)], user: hadLines ? [("A", 5), ("U", 1)] : [])
    if hadLines { try stores.clear(pair.target) }
    let lines = try stores.store.cart(of: pair.owner).cart.lines
    let reading = try stores.store.merge(pair.guest, into: pair.user, by: strategy, retryKey: nil, requestID: "r")
    #expect(
      reading
        == .merged(
          strategy,
          [
            CartMerge.Report(sku: "A", outcome: .added, quantity: 2),
            CartMerge.Report(sku: "B", outcome: .added, quantity: 7),
          ]))
    let cart = try stores.store.cart(of: pair.target).cart
    #expect(cart.version == (hadLines ? 4 : 1) && cart.lines.map(\.sku) == ["A", "B"])
    #expect(cart.lines.map(\.quantity) == [2, 7])
    #expect(cart.lines.map(\.born) == lines.map(\.born) && cart.lines.map(\.revision) == lines.map(\.revision))
    try stores.expectEqual(pair.target)
  }

  @Test(
    "An empty guest's cart takes nothing from a full user's, whatever the strategy", arguments: MergeStrategy.allCases)
  func fromEmpty(_ strategy: MergeStrategy) throws {
    let stores = try TwoStores()
    let pair = try pair(stores, guest: [("A", 2)], user: [("A", 5), ("U", 1)])
    try stores.clear(pair.owner)
    let reading = try stores.store.merge(pair.guest, into: pair.user, by: strategy, retryKey: nil, requestID: "r")
    #expect(reading == .merged(strategy, []))
    #expect(try quantities(stores, pair.target) == ["A": 5, "U": 1])
    #expect(try stores.store.cart(of: pair.owner).isGone)
  }

  @Test(
    "A stock below what the user had takes nothing from the user, unless the guest's smaller quantity is to stand",
    arguments: [
      (MergeStrategy.sum, 6, CartMerge.Outcome.capped), (.overwrite, 2, .overwritten), (.keep, 6, .kept),
      (.max, 6, .kept),
    ])
  func neverBelow(_ strategy: MergeStrategy, _ quantity: Int, _ outcome: CartMerge.Outcome) throws {
    let stores = try TwoStores()
    let pair = try pair(stores, guest: [("A", 2), ("B", 8)], user: [("A", 6), ("B", 6)])
    stores.shop.put("A", stock: 3)
    stores.shop.put("B", stock: 3)
    try stores.publish()
    let reading = try stores.store.merge(pair.guest, into: pair.user, by: strategy, retryKey: nil, requestID: "r")
    #expect(
      reading
        == .merged(
          strategy,
          [
            CartMerge.Report(sku: "A", outcome: outcome, quantity: quantity),
            // All but one would give more than there is: the user keeps the six.
            CartMerge.Report(sku: "B", outcome: strategy == .keep ? .kept : .capped, quantity: 6),
          ]))
  }

  @Test(
    """
    Limits and stock cap what comes, never below what the user had; of what nothing is left comes unselected, what is \
    not for sale as it is
    """)
  func capped() throws {
    let stores = try TwoStores()
    stores.shop.put("A", stock: 4)
    let pair = try pair(
      stores, guest: [("A", 3), ("R", 2), ("C", 1), ("O", 7), ("B", 5)], user: [("A", 3), ("B", 1)])
    stores.shop.put("R", stock: 0)
    stores.shop.put("C", currency: "EUR")
    stores.shop.put("O") { $0.isActive = false }
    stores.shop.put("B") { $0.isActive = false }
    try stores.publish()
    let reading = try stores.store.merge(pair.guest, into: pair.user, by: .sum, retryKey: nil, requestID: "r")
    #expect(
      reading
        == .merged(
          .sum,
          [
            CartMerge.Report(sku: "A", outcome: .capped, quantity: 4),
            CartMerge.Report(sku: "R", outcome: .added, quantity: 2),
            CartMerge.Report(sku: "C", outcome: .added, quantity: 1),
            CartMerge.Report(sku: "O", outcome: .added, quantity: 7),
            CartMerge.Report(sku: "B", outcome: .capped, quantity: 1),
          ]))
    let cart = try stores.store.cart(of: pair.target).cart
    #expect(cart.lines.filter { !$0.isSelected }.map(\.sku) == ["R"])
  }

  @Test("A merge that was begun is ended by whoever finds it, for the user for whom it was begun")
  func halfDone() throws {
    let stores = try TwoStores()
    let pair = try pair(stores, guest: [("A", 2)], user: [("A", 3)])
    let history = try stores.carts.histories.current()
    let hash = try #require(try stores.redis.hash(of: pair.owner))
    #expect(try stores.carts.freeze(hash, into: "sum \(pair.user.text)", in: history))
    #expect(try !stores.carts.freeze(hash, into: "sum other", in: history))
    let stranger = UserID("stranger")!
    #expect(try stores.store.merge(pair.guest, into: stranger, by: .sum, retryKey: nil, requestID: "") == .nothing)
    #expect(try quantities(stores, pair.target) == ["A": 5])
    #expect(try stores.store.cart(of: .user(stranger)).cart.lines.isEmpty)
    #expect(try stores.add(pair.owner, "A").reading.isGone)
  }

  @Test("Whoever ends a merge that another has recorded tells what became of the lines", arguments: [false, true])
  func recordedByAnother(hasCart: Bool) throws {
    let stores = try TwoStores()
    let pair = try pair(stores, guest: [("A", 2)], user: hasCart ? [("A", 3)] : [])
    let history = try stores.carts.histories.current()
    var hash = try #require(try stores.redis.hash(of: pair.owner))
    #expect(try stores.carts.freeze(hash, into: "sum \(pair.user.text)", in: history))
    hash.state = .merging
    let merge = CartMerge(
      guest: pair.guest, strategy: .sum, currency: hash.cart.currency,
      lines: hash.cart.lines.map { CartMerge.Line(line: $0, maximum: 100) })
    #expect(try stores.archive.record(merge, of: hash, into: pair.target, requestID: "", in: history) == .recorded)
    let reading = try stores.store.merge(pair.guest, into: pair.user, by: .sum, retryKey: nil, requestID: "")
    let outcome = CartMerge.Report(sku: "A", outcome: hasCart ? .summed : .added, quantity: hasCart ? 5 : 2)
    #expect(reading == .merged(.sum, [outcome]))
    #expect(try quantities(stores, pair.target) == ["A": hasCart ? 5 : 2])
  }

  @Test("Redis emptied between the record and the delivery: the lines come once")
  func emptied() throws {
    let stores = try TwoStores()
    let pair = try pair(stores, guest: [("A", 2)], user: [("A", 3)])
    _ = try stores.persister.sync([pair.owner, pair.target])
    let history = try stores.carts.histories.current()
    var hash = try #require(try stores.redis.hash(of: pair.owner))
    #expect(try stores.carts.freeze(hash, into: "sum \(pair.user.text)", in: history))
    hash.state = .merging
    let merge = CartMerge(
      guest: pair.guest, strategy: .sum, currency: hash.cart.currency,
      lines: hash.cart.lines.map { CartMerge.Line(line: $0, maximum: 100) })
    #expect(try stores.archive.record(merge, of: hash, into: pair.target, requestID: "", in: history) == .recorded)
    #expect(try stores.archive.record(merge, of: hash, into: pair.target, requestID: "", in: history) == .mergedBefore)
    try stores.redis.removeAll()
    #expect(try quantities(stores, pair.target) == ["A": 5])
    #expect(try stores.store.cart(of: pair.owner).isGone)
    #expect(
      try stores.store.merge(pair.guest, into: pair.user, by: .sum, retryKey: nil, requestID: "") == .nothing)
    #expect(try quantities(stores, pair.target) == ["A": 5])
    _ = try stores.persister.sync(pair.target)
    try stores.expectEqual(pair.target)
  }

  @Test("A merge takes the rows in the order in which the syncer does, so that neither ends the other in a deadlock")
  func lockOrder() throws {
    let stores = try TwoStores()
    let pair = try pair(stores, guest: [("A", 2)], user: [("A", 3)])
    _ = try stores.persister.sync(pair.owner)
    let schema = stores.schema
    let hasGuest = DispatchSemaphore(value: 0)
    let isThrough = DispatchSemaphore(value: 0)
    Thread {
      defer { isThrough.signal() }
      // What a syncer does that persists both: it has the guest's row, and goes on to the user's when the merge waits
      // for the guest's.
      guard let syncer = try? schema.connection() else { return }
      try? syncer.begin()
      _ = try? syncer.execute("SELECT FROM carts WHERE owner_kind = 'guest' FOR UPDATE", label: "guest")
      hasGuest.signal()
      let waiting = """
        SELECT 1 FROM pg_stat_activity
        WHERE application_name = 'tests' AND wait_event_type = 'Lock' AND query LIKE '%carts%'
        """
      let giveUp = Date().addingTimeInterval(20)
      while (try? schema.rows(waiting))?.isEmpty == true, Date() < giveUp {}
      let user = "INSERT INTO carts (owner_kind, owner_id) VALUES ('user', '\(pair.user.text)'), ('user', 'written')"
      _ = try? syncer.execute(user, label: "user")
      try? syncer.commit()
    }.start()
    hasGuest.wait()
    let reading = try stores.store.merge(pair.guest, into: pair.user, by: .sum, retryKey: nil, requestID: "r")
    isThrough.wait()
    #expect(reading == .merged(.sum, [CartMerge.Report(sku: "A", outcome: .summed, quantity: 5)]))
    #expect(try schema.rows("SELECT 1 FROM carts WHERE owner_id = 'written'") == [["1"]])
  }

  @Test("A PostgreSQL that was put back to a state before a merge learns of it anew: the lines come once")
  func putBack() throws {
    let stores = try TwoStores()
    let pair = try pair(stores, guest: [("A", 2)], user: [("A", 3)])
    _ = try stores.persister.sync([pair.owner, pair.target])
    let line = try #require(try stores.store.cart(of: pair.owner).cart.lines.first)
    _ = try stores.schema.rows("CREATE TABLE before AS SELECT * FROM carts")
    _ = try stores.store.merge(pair.guest, into: pair.user, by: .sum, retryKey: nil, requestID: "")
    for statement in [
      "DELETE FROM cart_merges", "DELETE FROM carts", "INSERT INTO carts SELECT * FROM before",
      "UPDATE database_lineage SET tag = 'older'",
    ] { _ = try stores.schema.rows(statement) }
    // The guest's cart had followed it before it was merged.
    try stores.schema.command(pair.owner, 10, after: 0, .take([TakenLine(sku: "A", quantity: 1, born: line.born)]))
    func mergeAgain() throws -> MergeReading {
      try stores.store.merge(pair.guest, into: pair.user, by: .sum, retryKey: nil, requestID: "")
    }
    #expect(try mergeAgain() == .nothing)
    #expect(try quantities(stores, pair.target) == ["A": 5])
    // As the syncer does, which finds that the database has gone back.
    _ = try stores.persister.sync([pair.owner, pair.target])
    #expect(try stores.schema.rows("SELECT count(*) FROM cart_inbox") == [["0"]])
    try stores.redis.removeAll()
    #expect(try mergeAgain() == .nothing)
    #expect(try quantities(stores, pair.target) == ["A": 5])
    #expect(try stores.store.cart(of: pair.owner).isGone)
  }

  @Test("A merge stays known to Redis when it begins another history, and then PostgreSQL is put back to before it")
  func putBackAfterAnotherHistory() throws {
    let server = try PrivateRedis(["--appendonly", "yes"])
    let stores = try TwoStores(server.configuration())
    let pair = try pair(stores, guest: [("A", 2)], user: [("A", 3)])
    _ = try stores.persister.sync([pair.owner, pair.target])
    _ = try stores.schema.rows("CREATE TABLE before AS SELECT * FROM carts WHERE owner_kind = 'guest'")
    _ = try stores.store.merge(pair.guest, into: pair.user, by: .sum, retryKey: nil, requestID: "")
    server.kill(SIGKILL)
    try server.start()
    // PostgreSQL still knows of the merge.
    #expect(try stores.store.cart(of: pair.owner).isGone)
    #expect(try stores.redis.hash(of: pair.owner)?.state == .merged)
    #expect(try stores.redis.run("ZSCORE", stores.redis.keys.active, stores.key(of: pair.owner)) == nil)
    for statement in [
      "DELETE FROM cart_merges", "DELETE FROM carts WHERE owner_kind = 'guest'",
      "INSERT INTO carts SELECT * FROM before",
    ] { _ = try stores.schema.rows(statement) }
    server.kill(SIGKILL)
    try server.start()
    #expect(try stores.store.cart(of: pair.owner).isGone)
    #expect(try stores.store.merge(pair.guest, into: pair.user, by: .sum, retryKey: nil, requestID: "") == .nothing)
    #expect(try quantities(stores, pair.target) == ["A": 5])
    // Once it is persisted, both know again.
    _ = try stores.persister.sync([pair.owner, pair.target])
    #expect(try stores.schema.rows("SELECT state FROM carts WHERE owner_kind = 'guest'") == [["2"]])
    #expect(try stores.redis.run("ZSCORE", stores.redis.keys.dirty, stores.key(of: pair.owner)) == nil)
  }

  @Test("A PostgreSQL that was put back to before a merge, and no syncer can tell, learns of the merge from Redis")
  func putBackUnnoticed() throws {
    let stores = try TwoStores()
    let pair = try pair(stores, guest: [("A", 2)], user: [("A", 3)])
    _ = try stores.persister.sync([pair.owner, pair.target])
    _ = try stores.schema.rows("CREATE TABLE before AS SELECT * FROM carts WHERE owner_kind = 'guest'")
    _ = try stores.store.merge(pair.guest, into: pair.user, by: .sum, retryKey: nil, requestID: "")
    // Without another tag or number: no syncer had committed since.
    for statement in [
      "DELETE FROM cart_merges", "DELETE FROM carts WHERE owner_kind = 'guest'",
      "INSERT INTO carts SELECT * FROM before",
    ] { _ = try stores.schema.rows(statement) }
    let syncer = try stores.syncer()
    let end = RedisClock.monotonic + 30_000
    while try stores.redis.run("ZCARD", stores.redis.keys.dirty) != "0", RedisClock.monotonic < end {
      try syncer.turn()
    }
    #expect(try stores.schema.rows("SELECT state FROM carts WHERE owner_kind = 'guest'") == [["2"]])
    try stores.redis.removeAll()
    #expect(try stores.store.cart(of: pair.owner).isGone)
    #expect(try stores.store.merge(pair.guest, into: pair.user, by: .sum, retryKey: nil, requestID: "") == .nothing)
    #expect(try quantities(stores, pair.target) == ["A": 5])
  }

  @Test("What is left of a merged guest's cart stays what it is when it is persisted")
  func tombstone() throws {
    let stores = try TwoStores()
    let pair = try pair(stores, guest: [("A", 2)], user: [])
    _ = try stores.store.merge(pair.guest, into: pair.user, by: .sum, retryKey: nil, requestID: "")
    func isDirty() throws -> Bool {
      try stores.redis.run("ZSCORE", stores.redis.keys.dirty, stores.key(of: pair.owner)) != nil
    }
    #expect(try isDirty())
    #expect(try stores.store.sync(pair.owner) == 0)
    #expect(try !isDirty())
    let hash = try #require(try stores.redis.hash(of: pair.owner))
    #expect(hash.state == .merged && hash.cart.lines.isEmpty && hash.mergedInto == nil && hash.cart.expiresAt != nil)
    #expect(try stores.store.cart(of: pair.owner).isGone)
  }

  @Test("Without PostgreSQL nothing is frozen")
  func pending() throws {
    let stores = try TwoStores()
    let pair = try pair(stores, guest: [("A", 2)], user: [("A", 3)])
    let away = PostgresCarts(
      PostgresConnection(try PostgresConfiguration(connectionString: "host=/nowhere dbname=none")))
    let carts = RedisCarts(stores.redis, histories: stores.carts.histories)
    let restorer = CartRestorer(carts, archive: away)
    let merger = CartMerger(
      restorer, persister: CartPersister(restorer),
      catalogue: stores.graph.catalogue)
    #expect(try merger.merge(pair.guest, into: pair.user, by: .sum, requestID: "") == .pending)
    #expect(try stores.redis.hash(of: pair.owner)?.state == .open)
    #expect(try quantities(stores, pair.owner) == ["A": 2])
    #expect(try merger.merge(pair.guest, into: pair.user, by: .sum, requestID: "") == .pending)
    _ = try stores.store.merge(pair.guest, into: pair.user, by: .sum, retryKey: nil, requestID: "")
    #expect(try quantities(stores, pair.target) == ["A": 5])
  }

  @Test("The client's own keys unite, the guest's win; its retry keys come along")
  func data() throws {
    let stores = try TwoStores()
    stores.shop.put("A")
    let pair = try pair(stores, guest: [], user: [])
    let key = RetryKey(9)
    try stores.add(pair.target, "A", data: .replace(Array(#"{"a":1,"b":2}"#.utf8)))
    try stores.add(pair.owner, "A", data: .replace(Array(#"{"b":3,"c":4}"#.utf8)), key: key)
    _ = try stores.store.merge(pair.guest, into: pair.user, by: .sum, retryKey: RetryKey(8), requestID: "")
    let line = try stores.store.cart(of: pair.target).cart.lines[0]
    #expect(line.clientData.map { String(decoding: $0, as: UTF8.self) } == #"{"a":1,"b":3,"c":4}"#)
    #expect(try stores.add(pair.target, "A", key: key).outcome != .changed)
    #expect(try stores.store.precheck(pair.target, retryKey: RetryKey(8), condition: nil).outcome == .replayed)
  }

  @Test(
    "A login keeps the newest eight retry keys of each: a device's change without an answer is not made twice",
    arguments: [false, true])
  func bothRings(_ isDeliveredByRestorer: Bool) throws {
    let stores = try TwoStores()
    stores.shop.put("A")
    let pair = try pair(stores, guest: [], user: [])
    for number in 0..<16 { try stores.add(pair.target, "A", key: RetryKey(UInt8(100 + number))) }
    for number in 0..<16 { try stores.add(pair.owner, "A", key: RetryKey(UInt8(number))) }
    let own: RetryKey? = isDeliveredByRestorer ? nil : RetryKey(200)
    if isDeliveredByRestorer {
      _ = try stores.persister.sync([pair.owner, pair.target])
      let history = try stores.carts.histories.current()
      var hash = try #require(try stores.redis.hash(of: pair.owner))
      #expect(try stores.carts.freeze(hash, into: "sum \(pair.user.text)", in: history))
      hash.state = .merging
      let merge = CartMerge(
        guest: pair.guest, strategy: .sum, currency: hash.cart.currency,
        lines: hash.cart.lines.map { CartMerge.Line(line: $0, maximum: 100) }, ring: CartMerge.ring(of: own, hash.ring))
      #expect(try stores.archive.record(merge, of: hash, into: pair.target, requestID: "", in: history) == .recorded)
      try stores.redis.removeAll()
    } else {
      _ = try stores.store.merge(pair.guest, into: pair.user, by: .sum, retryKey: own, requestID: "")
    }
    func isKnown(_ key: RetryKey) throws -> Bool {
      try stores.store.precheck(pair.target, retryKey: key, condition: nil).outcome == .replayed
    }
    #expect(try quantities(stores, pair.target) == ["A": 32])
    #expect(try stores.add(pair.target, "A", key: RetryKey(115)).outcome == .replayed)
    #expect(try quantities(stores, pair.target) == ["A": 32])
    // The key of the request for the merge is one of the user's.
    if let own { #expect(try isKnown(own)) }
    let kept = try (100..<116).filter { try isKnown(RetryKey(UInt8($0))) }
    #expect(kept == Array((own == nil ? 108 : 109)..<116))
    #expect(try (0..<16).filter { try isKnown(RetryKey(UInt8($0))) } == Array(8..<16))
  }

  @Test("A frozen cart that was lost and came back as it was before is not the one that is merged")
  func thawed() throws {
    let stores = try TwoStores()
    let pair = try pair(stores, guest: [("A", 2)], user: [])
    stores.shop.put("B")
    _ = try stores.persister.sync(pair.owner)
    let history = try stores.carts.histories.current()
    let hash = try #require(try stores.redis.hash(of: pair.owner))
    #expect(try stores.carts.freeze(hash, into: "sum \(pair.user.text)", in: history))
    try stores.redis.removeAll()
    #expect(try quantities(stores, pair.owner) == ["A": 2])
    try stores.add(pair.owner, "B")
    #expect(try stores.carts.raise([(hash, hash.epoch + 1_000_000)], in: stores.carts.histories.current()) == [false])
    _ = try stores.store.merge(pair.guest, into: pair.user, by: .sum, retryKey: nil, requestID: "")
    #expect(try quantities(stores, pair.target) == ["A": 2, "B": 1])
  }
}
