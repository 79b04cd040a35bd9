import CartDomain
import Testing

@testable import CartStores

/// What goes wrong with one cart, one change or one task, and the others that must not notice.
@Suite("Syncer", .requiresRedis, .requiresPostgres)
struct SyncerTests {
  private let stores: TwoStores

  init() throws {
    stores = try TwoStores()
    for sku: SKU in ["A", "B"] { stores.shop.put(sku) }
  }

  /// Turns until `condition` holds; a failure to reach that in time is recorded.
  private func turn(
    _ syncers: Syncer..., until condition: () throws -> Bool, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let end = RedisClock.monotonic + 30_000
    while try !condition() {
      for syncer in syncers { try syncer.turn() }
      if RedisClock.monotonic > end {
        Issue.record("not within 30 s", sourceLocation: sourceLocation)
        return
      }
    }
  }

  private func isPersisted(_ owner: CartOwner) throws -> Bool {
    guard let hash = try stores.redis.hash(of: owner) else { return false }
    return hash.cart.version > 0 && hash.persistedVersion == hash.cart.version
  }

  private func recorded(_ owner: CartOwner) throws -> [Int64] {
    try stores.archive.changes(of: owner, limit: 100).map(\.version)
  }

  private func select(_ owner: CartOwner, _ flag: Bool) throws {
    _ = try stores.store.change(ChangeRequest(owner: owner, change: .select(flag, .all), requestID: "request"))
  }

  // MARK: The record

  @Test("A selection by a filter is one row, and one for each line in the view")
  func selection() throws {
    let user = CartOwner.anyUser()
    let syncer = try stores.syncer()
    try stores.add(user, "A")
    try stores.add(user, "B")
    try select(user, false)
    try turn(syncer, until: { try recorded(user).count == 4 })
    let rows = try stores.schema.rows(
      "SELECT version, action, jsonb_array_length(lines), sequence FROM cart_events ORDER BY version")
    #expect(rows == [["1", "add", "1", nil], ["2", "add", "1", nil], ["3", "select", "2", nil]])
    let lines = try stores.schema.rows("SELECT sku, before, after FROM cart_changes WHERE version = 3 ORDER BY sku")
    #expect(lines == ["A", "B"].map { [$0, #"{"selected": true}"#, #"{"selected": false}"#] })
    #expect(try stores.schema.rows("SELECT before FROM cart_changes WHERE version = 1") == [[nil]])
  }

  @Test("A change that PostgreSQL refuses holds back the record of its cart, in order, and nothing else; then it heals")
  func poison() throws {
    let (bad, good) = (CartOwner.anyUser(), CartOwner.anyUser())
    let syncer = try stores.syncer()
    try turn(syncer, until: { syncer.registry.isReader })
    _ = try stores.schema.rows(
      "ALTER TABLE cart_events ADD CONSTRAINT poison CHECK (owner_id <> '\(bad.id)' OR version <> 2)")
    for _ in 0..<3 {
      try stores.add(bad, "A")
      try stores.add(good, "A")
    }
    try turn(syncer, until: { try recorded(good) == [1, 2, 3] && isPersisted(bad) && isPersisted(good) })
    try turn(syncer, until: { try stores.redis.run("XLEN", stores.redis.keys.stream) == "0" })
    #expect(try recorded(bad) == [1])
    let state = try SyncState(of: stores.redis)
    #expect(state.aside == 1 && state.asideOwners == [bad] && state.waiting == 0)
    #expect(state.reasons[bad]?.contains("constraint poison") == true)
    // One that comes later, also by another syncer, is not recorded before it.
    try syncer.leave()
    try stores.add(bad, "A")
    let next = try stores.syncer("next")
    try turn(next, until: { try next.registry.isReader && stores.redis.run("XLEN", stores.redis.keys.stream) == "0" })
    #expect(try recorded(bad) == [1])
    _ = try stores.schema.rows("ALTER TABLE cart_events DROP CONSTRAINT poison")
    try stores.redis.run("ZADD", stores.redis.keys.aside, "1", stores.key(of: bad))
    try turn(next, until: { try recorded(bad) == [1, 2, 3, 4] })
    try turn(next, until: { try SyncState(of: stores.redis).aside == 0 })
    #expect(try stores.redis.run("EXISTS", stores.redis.keys.aside(of: bad)) == "0")
  }

  @Test("Carts don't wait for a record that nobody can write, and the record is complete afterwards")
  func lockedRecord() throws {
    let syncer = try stores.syncer()
    try turn(syncer, until: { syncer.registry.isReader })
    let reader = try stores.schema.connection()
    try reader.begin()
    try reader.execute("LOCK TABLE cart_events IN ACCESS EXCLUSIVE MODE", label: "test")
    let users = (0..<5).map { _ in CartOwner.anyUser() }
    for user in users { try stores.add(user, "A") }
    try turn(syncer, until: { try users.allSatisfy { try isPersisted($0) } })
    #expect(try stores.redis.run("XLEN", stores.redis.keys.stream) == "5")
    #expect(try SyncState(of: stores.redis).aside == 0, "the changes are not to blame")
    reader.rollback()
    try turn(syncer, until: { try stores.redis.run("XLEN", stores.redis.keys.stream) == "0" })
    for user in users { #expect(try recorded(user) == [1]) }
  }

  @Test("A change that can't be read is set aside for its cart; one of nobody is dropped")
  func unreadable() throws {
    let (bad, good) = (CartOwner.anyUser(), CartOwner.anyUser())
    let stream = stores.redis.keys.stream
    try stores.redis.run("XADD", stream, "*", "k", stores.key(of: bad), "from", "a newer version")
    try stores.redis.run("XADD", stream, "*", "nobody", "knows")
    try stores.add(good, "A")
    let syncer = try stores.syncer()
    try turn(syncer, until: { try recorded(good) == [1] && stores.redis.run("XLEN", stream) == "0" })
    #expect(try SyncState(of: stores.redis).asideOwners == [bad])
  }

  @Test("Of a cart with a change that can't be read none is lost, and those before it are recorded")
  func unreadableAmongOthers() throws {
    let bad = CartOwner.anyUser()
    let stream = stores.redis.keys.stream
    try stores.add(bad, "A")
    try stores.redis.run("XADD", stream, "*", "k", stores.key(of: bad), "from", "a newer version")
    try stores.add(bad, "A")
    let syncer = try stores.syncer()
    try turn(syncer, until: { try stores.redis.run("XLEN", stream) == "0" })
    let aside = stores.redis.keys.aside(of: bad)
    #expect(try stores.redis.run("XLEN", aside) == "3")
    try stores.redis.run("ZADD", stores.redis.keys.aside, "1", stores.key(of: bad))
    try turn(syncer, until: { try recorded(bad) == [1] })
    #expect(try stores.redis.run("XLEN", aside) == "2")
  }

  @Test("Changes set aside that can't even be looked at keep those of nobody else from being tried")
  func unreadableAside() throws {
    let (first, bad) = (CartOwner.anyUser(), CartOwner.anyUser())
    let syncer = try stores.syncer()
    try turn(syncer, until: { syncer.registry.isReader })
    _ = try stores.schema.rows("ALTER TABLE cart_events ADD CONSTRAINT poison CHECK (owner_id <> '\(bad.id)')")
    try stores.add(bad, "A")
    try turn(syncer, until: { try SyncState(of: stores.redis).aside == 1 })
    _ = try stores.schema.rows("ALTER TABLE cart_events DROP CONSTRAINT poison")
    try stores.redis.run("LPUSH", stores.redis.keys.aside(of: first), "x")
    try stores.redis.run("ZADD", stores.redis.keys.aside, "1", stores.key(of: first), "2", stores.key(of: bad))
    try turn(syncer, until: { try recorded(bad) == [1] })
  }

  @Test("A refused cart is tried again though PostgreSQL was away when it was due, and by another syncer")
  func refusedForLong() throws {
    let bad = CartOwner.anyUser()
    try stores.add(bad, "A")
    let syncer = try stores.syncer()
    _ = try stores.schema.rows("ALTER TABLE carts ADD CONSTRAINT poison CHECK (owner_id <> '\(bad.id)')")
    try turn(syncer, until: { try SyncState(of: stores.redis).quarantined == 1 })
    #expect(try SyncState(of: stores.redis).reasons[bad]?.contains("constraint poison") == true)
    _ = try stores.schema.rows("ALTER TABLE carts DROP CONSTRAINT poison; ALTER TABLE carts RENAME TO away")
    try stores.redis.run("ZADD", stores.redis.keys.quarantine, "1", stores.key(of: bad))
    #expect(throws: Never.self) { try syncer.turn() }
    _ = try stores.schema.rows("ALTER TABLE away RENAME TO carts")
    try syncer.leave()
    try stores.redis.run("ZADD", stores.redis.keys.quarantine, "1", stores.key(of: bad))
    let other = try stores.syncer("other")
    try turn(other, until: { try isPersisted(bad) && SyncState(of: stores.redis).quarantined == 0 })
  }

  @Test("Changes of very many lines go in parts")
  func manyLines() throws {
    let user = CartOwner.anyUser()
    for number in 0..<2_000 { stores.shop.put(SKU("S\(number)")!) }
    for start in stride(from: 0, to: 2_000, by: 100) {
      let lines = (start..<start + 100).map { LineAddition(sku: SKU("S\($0)")!, quantity: 1, clientData: .keep) }
      _ = try stores.store.change(ChangeRequest(owner: user, change: .add(lines), requestID: "request"))
    }
    for round in 0..<30 { try select(user, round % 2 == 1) }
    let other = CartOwner.anyUser()
    try stores.add(other, "A")
    let syncer = try stores.syncer()
    var turns = 0
    syncer.observer.turn = { _ in turns += 1 }
    try turn(syncer, until: { try recorded(other) == [1] && isPersisted(user) })
    let rows = try stores.schema.rows("SELECT count(*), sum(jsonb_array_length(lines)) FROM cart_events")
    #expect(rows == [["51", "62001"]])
    // In one go it would be two.
    #expect(turns > 4)
  }

  // MARK: Carts

  @Test("A locked row, an unreadable row and an unreadable hash hold up no other cart")
  func others() throws {
    let users = (0..<4).map { _ in CartOwner.anyUser() }
    for user in users { try stores.add(user, "A") }
    let syncer = try stores.syncer()
    try turn(syncer, until: { try users.allSatisfy { try isPersisted($0) } })
    let (locked, row, hash, good) = (users[0], users[1], users[2], users[3])
    let holder = try stores.schema.connection()
    try holder.begin()
    try holder.execute("SELECT FROM carts WHERE owner_id = '\(locked.id)' FOR UPDATE", label: "test")
    _ = try stores.schema.rows("UPDATE carts SET lines = '[]' WHERE owner_id = '\(row.id)'")
    try stores.redis.run("HSET", stores.key(of: row), "#l", "1")
    for user in [locked, hash, good] { try stores.add(user, "B") }
    try stores.redis.run("HSET", stores.key(of: hash), "=A", "nonsense")
    try stores.redis.run("ZADD", stores.redis.keys.dirty, "1", stores.key(of: row))
    try turn(syncer, until: { try isPersisted(good) && SyncState(of: stores.redis).quarantined == 2 })
    #expect(try Set(SyncState(of: stores.redis).quarantine) == [row, hash])
    #expect(try !isPersisted(locked))
    holder.rollback()
    try turn(syncer, until: { try isPersisted(locked) })
    // What is mended is persisted when its time has come.
    _ = try stores.schema.rows("DELETE FROM carts WHERE owner_id = '\(row.id)'")
    try stores.redis.run("HSET", stores.key(of: hash), "=A", "1|1|1|1|main|100|AAAAAAAAAAAAAAAA")
    for user in [row, hash] { try stores.redis.run("ZADD", stores.redis.keys.quarantine, "1", stores.key(of: user)) }
    try turn(syncer, until: { try SyncState(of: stores.redis).quarantined == 0 })
    try turn(syncer, until: { try isPersisted(hash) && isPersisted(row) })
  }

  @Test("A refused cart is refused no more once it has left the list, whoever has taken it off")
  func leftQuarantine() throws {
    let bad = CartOwner.anyUser()
    try stores.add(bad, "A")
    let syncer = try stores.syncer()
    _ = try stores.schema.rows("ALTER TABLE carts ADD CONSTRAINT poison CHECK (owner_id <> '\(bad.id)')")
    try turn(syncer, until: { try SyncState(of: stores.redis).quarantined == 1 })
    _ = try stores.schema.rows("ALTER TABLE carts DROP CONSTRAINT poison")
    try stores.redis.run("DEL", stores.redis.keys.quarantine)
    try stores.add(bad, "A")
    try turn(syncer, until: { try isPersisted(bad) })
  }

  @Test("A table that nobody can write to is held against no cart")
  func lockedCarts() throws {
    let users = (0..<5).map { _ in CartOwner.anyUser() }
    let syncer = try stores.syncer()
    try turn(syncer, until: { syncer.registry.isReader })
    for user in users { try stores.add(user, "A") }
    var notes: [String] = []
    syncer.observer.note = { notes.append($0) }
    let holder = try stores.schema.connection()
    try holder.begin()
    try holder.execute("LOCK TABLE carts IN ACCESS EXCLUSIVE MODE", label: "test")
    try turn(syncer, until: { notes.contains { $0.contains("55P03") } })
    for _ in 0..<3 { try syncer.turn() }
    #expect(try SyncState(of: stores.redis).quarantined == 0)
    holder.rollback()
    try turn(syncer, until: { try users.allSatisfy { try isPersisted($0) } })
    // Nor one in which every write fails.
    _ = try stores.schema.rows(
      "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$; "
        + "CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON carts FOR EACH ROW EXECUTE FUNCTION refuse()")
    for user in users { try stores.add(user, "A") }
    try turn(syncer, until: { notes.contains { $0.contains("P0001") } })
    #expect(try SyncState(of: stores.redis).quarantined == 0)
    _ = try stores.schema.rows("DROP TRIGGER refuse ON carts")
    try turn(syncer, until: { try users.allSatisfy { try isPersisted($0) } })
  }

  @Test("Sequential ids are shared out evenly")
  func shares() {
    for first in [1_000, 100_000, 4_711_000] {
      for count in [2, 3] {
        let sizes = (0..<count).map { rank in
          (first..<first + 1_000).count { number in
            SyncerRegistry.Share(rank: rank, count: count).contains(.user(UserID(String(number))!))
          }
        }
        #expect(
          sizes.reduce(0, +) == 1_000 && sizes.allSatisfy { (700 / count...1_300 / count).contains($0) }, "\(sizes)")
      }
    }
  }

  @Test("Marking every cart after PostgreSQL went back goes on where another syncer has ended")
  func marking() throws {
    let users = (0..<5).map { _ in CartOwner.anyUser() }
    for user in users { try stores.add(user, "A") }
    let syncer = try stores.syncer()
    try turn(syncer, until: { try users.allSatisfy { try isPersisted($0) } })
    let tag = try stores.archive.lineage().tag
    _ = try stores.schema.rows("DELETE FROM carts; UPDATE sync_lanes SET number = 1")
    // It learns of that and ends before it has marked any.
    try syncer.heartbeat()
    let text = try #require(try stores.redis.run("GET", stores.redis.keys.database))
    let next = try #require(text.split(separator: "|").last)
    #expect(text.hasPrefix(tag + "|") && next != tag && text.split(separator: "|").count == 3)
    #expect(try stores.redis.run("ZCARD", stores.redis.keys.dirty) == "0")
    try syncer.leave()
    let other = try stores.syncer("other")
    try turn(other, until: { try stores.redis.run("GET", stores.redis.keys.database)?.hasPrefix("\(next)|") == true })
    try turn(other, until: { try users.allSatisfy { try isPersisted($0) && stores.archive.row(of: $0) != nil } })
    try turn(other, until: { try stores.redis.run("ZCARD", stores.redis.keys.dirty) == "0" })
  }

  // MARK: Tasks

  @Test("A task that fails is tried less and less often, and the others go on")
  func failingTask() throws {
    let syncer = try stores.syncer()
    var notes: [String] = []
    syncer.observer.note = { notes.append($0) }
    _ = try stores.schema.rows("ALTER TABLE cart_merges RENAME TO away")
    let user = CartOwner.anyUser()
    try stores.add(user, "A")
    let tasks = stores.redis.keys.tasks
    func failures() throws -> Int {
      let state = try stores.redis.run("HGET", tasks, "retention") ?? "0|0|"
      return Int(state.split(separator: "|")[1]) ?? 0
    }
    try turn(syncer, until: { try failures() == 1 })
    let due = try #require(Int64(try stores.redis.run("HGET", tasks, "retention")?.split(separator: "|").first ?? ""))
    #expect((500...1_000).contains(due - stores.redis.now.milliseconds))
    try turn(syncer, until: { try stores.redis.run("HEXISTS", tasks, "sweep") == "1" && isPersisted(user) })
    try stores.redis.run("HSET", tasks, "retention", "0|5|")
    try turn(syncer, until: { try failures() == 6 })
    _ = try stores.schema.rows("ALTER TABLE away RENAME TO cart_merges")
    try stores.redis.run("HSET", tasks, "retention", "0|6|")
    try turn(syncer, until: { try failures() == 0 })
    #expect(notes.contains { $0.hasPrefix("retention has failed, again in 32 s") }, "\(notes)")
  }

  @Test("A reader of the record keeps no month from being made, and delays nobody")
  func months() throws {
    _ = try stores.schema.rows(
      "DO $$ DECLARE t text; BEGIN FOR t IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
        + "WHERE i.inhparent = 'cart_events'::regclass LOOP EXECUTE format('DROP TABLE %I', t); END LOOP; END $$")
    let reader = try stores.schema.connection()
    try reader.begin()
    try reader.execute("SELECT count(*) FROM cart_events", label: "test")
    let syncer = try stores.syncer()
    let user = CartOwner.anyUser()
    try stores.add(user, "A")
    try turn(syncer, until: { try isPersisted(user) && recorded(user) == [1] })
    try turn(syncer, until: { try stores.redis.run("HEXISTS", stores.redis.keys.tasks, "months") == "1" })
    let months = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'cart_events'::regclass"
    #expect(try stores.schema.rows(months) == [["3"]])
    reader.rollback()
  }

  // MARK: Several syncers

  @Test("Two syncers share the carts, one records; when it dies the other takes over what is left")
  func two() throws {
    let (first, second) = (try stores.syncer("a"), try stores.syncer("b"))
    try first.turn()
    try second.turn()
    try first.registry.renew(now: true)
    #expect(first.registry.isReader && !second.registry.isReader)
    #expect(first.registry.share == .init(rank: 0, count: 2) && second.registry.share == .init(rank: 1, count: 2))
    let users = (0..<40).map { _ in CartOwner.anyUser() }
    for user in users { try stores.add(user, "A") }
    let mine = users.filter { second.registry.share.contains($0) }
    #expect((1..<40).contains(mine.count))
    try turn(second, until: { try mine.allSatisfy { try isPersisted($0) } })
    #expect(try users.count(where: { try isPersisted($0) }) == mine.count)
    #expect(try stores.redis.run("XLEN", stores.redis.keys.stream) == "40")
    // As if the first had not been heard of for long.
    try stores.redis.run("ZADD", stores.redis.keys.syncers, "1", "a")
    try stores.redis.run("DEL", stores.redis.keys.reader)
    try turn(second, until: { try stores.redis.run("XLEN", stores.redis.keys.stream) == "0" })
    #expect(second.registry.isReader && second.registry.share == .init(rank: 0, count: 1))
    try turn(second, until: { try users.allSatisfy { try isPersisted($0) } })
    #expect(try stores.schema.rows("SELECT count(*) FROM cart_events") == [["40"]])
  }

  @Test("A statement that was given up on holds its locks no longer than a moment")
  func orphans() throws {
    let (holder, waiter) = (try stores.schema.connection(), try stores.schema.connection(applicationName: "orphan"))
    try holder.begin()
    try holder.execute("LOCK TABLE sync_lanes", label: "test")
    // Within a transaction that has a lock of its own, as a batch has.
    let session = try PostgresSession(connecting: waiter.configuration)
    _ = try session.run("BEGIN; LOCK TABLE cart_inbox", label: "test", by: PostgresDeadline(in: 1_000))
    #expect(throws: PostgresError.self) {
      _ = try session.run("SELECT * FROM sync_lanes", label: "test", by: PostgresDeadline(in: 100))
    }
    withExtendedLifetime(consume session) {}
    let other = try stores.schema.connection()
    // Past its lock time-out this would throw.
    try other.execute("SELECT count(*) FROM cart_inbox", label: "test")
    holder.rollback()
  }
}
