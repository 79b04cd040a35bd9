import CartDomain
import Dispatch
import Glibc
import Synchronization
import Testing

@testable import CartStores

@Suite("Redis and PostgreSQL", .requiresRedis, .requiresPostgres)
struct SyncTests {
  private let data = Array(#"{"gift":true,"note":"a \"quoted\" ümlaut","z":{"a":[1,2.5,null]}}"#.utf8)

  @Test("A cart comes back as it was after Redis was emptied, at the next multiple of a million")
  func emptied() throws {
    let stores = try TwoStores()
    stores.shop.put("A")
    stores.shop.put("B 2|%", price: 299, merchant: "m|7%")
    let user = CartOwner.anyUser()
    let key = RetryKey(7)
    try stores.add(user, "A", 3, data: .replace(data), key: key)
    let before = try stores.add(user, "B 2|%", 2).reading.cart
    #expect(try stores.persister.sync(user) == 2)
    try stores.expectEqual(user)
    try stores.redis.removeAll()
    let after = try stores.store.cart(of: user).cart
    #expect(after.version == 1_000_000)
    #expect(after.lines == before.lines && after.currency == before.currency && after.clock == before.clock)
    #expect(try stores.add(user, "A", 3, data: .replace(data), key: key).outcome == .replayed)
    #expect(try stores.add(user, "A").reading.cart.version == 1_000_001)
    #expect(try stores.persister.sync(user) == 1_000_001)
    try stores.expectEqual(user)
  }

  @Test("A guest's cart comes back with its end; an unknown or an expired one is spent")
  func guests() throws {
    let stores = try TwoStores()
    stores.shop.put("A")
    let guest = CartOwner.anyGuest()
    let before = try stores.add(guest, "A").reading.cart
    #expect(try stores.persister.sync(guest) == 1)
    try stores.expectEqual(guest)
    try stores.redis.removeAll()
    let after = try stores.store.cart(of: guest)
    #expect(after.cart.expiresAt == before.expiresAt && after.cart.lines == before.lines && !after.isGone)
    #expect(try stores.redis.run("EXPIRETIME", stores.key(of: guest)) == "\(before.expiresAt!.seconds)")
    #expect(try stores.store.cart(of: .anyGuest()).isGone)
    try stores.redis.removeAll()
    try stores.archive.connection.execute("UPDATE carts SET expires_at = now() - interval '1 s'", label: "test")
    #expect(try stores.store.cart(of: guest).isGone)
  }

  @Test("A user without a cart is asked of PostgreSQL once, and then has one as from nothing")
  func placeholder() throws {
    let stores = try TwoStores()
    stores.shop.put("A")
    let user = CartOwner.anyUser()
    #expect(try stores.store.cart(of: user).cart == Cart(owner: user))
    #expect(try stores.redis.run("EXISTS", stores.key(of: user)) == "0")
    let hold = stores.redis.keys.restoreLease(of: user)
    #expect(try stores.redis.run("TTL", hold).flatMap { Int($0) } ?? 0 > 0)
    #expect(try stores.archive.row(of: user) == nil)
    stores.archive.connection.close()
    #expect(try stores.store.cart(of: user).cart.version == 0)
    #expect(try stores.add(user, "A").reading.cart.version == 1)
    #expect(try stores.redis.run("TTL", stores.key(of: user)) == "-1")
    #expect(try stores.redis.run("EXISTS", hold) == "0")
    #expect(try stores.persister.sync(user) == 1)
    try stores.expectEqual(user)
  }

  @Test("A cart that Redis let go of comes back without a skip")
  func evicted() throws {
    let stores = try TwoStores()
    stores.shop.put("A")
    let user = CartOwner.anyUser()
    try stores.add(user, "A")
    let history = try stores.carts.histories.current()
    func evict() throws -> Bool {
      let tag = try stores.archive.lineage().tag
      let hash = try stores.redis.hash(of: user)
      let gone = try stores.carts.evict(
        [user], tag: tag, usedBefore: stores.redis.now.adding(milliseconds: 1_000), in: history)[0]
      if gone { try stores.archive.release(try #require(hash)) }
      return gone
    }
    #expect(try !evict(), "a cart that is not persisted stays")
    _ = try stores.persister.sync(user)
    #expect(try evict())
    #expect(try stores.redis.hash(of: user) == nil)
    #expect(try stores.store.cart(of: user).cart.version == 1)
    try stores.redis.removeAll()
    #expect(try stores.store.cart(of: user).cart.version == 1_000_000)
  }

  @Test("A cart whose epoch was raised by someone who then vanished goes on and is persisted")
  func fenced() throws {
    let stores = try TwoStores()
    stores.shop.put("A")
    let user = CartOwner.anyUser()
    try stores.add(user, "A")
    _ = try stores.persister.sync(user)
    let history = try stores.carts.histories.current()
    let claim = try stores.archive.claim([(user, nil)], in: history)[user]
    try stores.add(user, "A")
    let first = try stores.persister.sync([user])
    #expect(first.raised == 1 && first.versions.isEmpty)
    #expect(try stores.redis.hash(of: user)?.epoch ?? 0 > claim?.epoch ?? .max)
    #expect(try stores.persister.sync(user) == 2)
    try stores.expectEqual(user)
  }

  @Test("A cart that Redis loses again before it is persisted gets no version twice")
  func lostTwice() throws {
    let stores = try TwoStores()
    stores.shop.put("A")
    let user = CartOwner.anyUser()
    try stores.add(user, "A")
    _ = try stores.persister.sync(user)
    try stores.redis.removeAll()
    try stores.add(user, "A")
    #expect(try stores.store.cart(of: user).cart.version == 1_000_001)
    try stores.redis.removeAll()
    let restored = try stores.store.cart(of: user).cart
    #expect(restored.version == 2_000_000 && restored.lines.map(\.quantity) == [1])
    _ = try stores.persister.sync(user)
    try stores.expectEqual(user)
  }

  @Test("Whoever knows Redis's history by a number that PostgreSQL has given up asks for the new one")
  func renumbered() throws {
    let configuration = try RedisTesting.configuration()
    let stores = try TwoStores(configuration)
    stores.shop.put("A")
    let user = CartOwner.anyUser()
    try stores.add(user, "A")
    _ = try stores.persister.sync(user)
    let history = try stores.carts.histories.current()
    // As in a database that was put back, where another process was faster.
    try stores.archive.connection.execute(
      "UPDATE redis_lineages SET number = number + 1 WHERE replication_id = '\(history.replicationID)'", label: "test")
    let other = try TwoStores(configuration, schema: stores.schema)
    try other.redis.run("DEL", other.redis.keys.history)
    other.redis.close()
    other.shop.put("A")
    try other.add(user, "A")
    // It may have had versions that this database does not know.
    #expect(try stores.persister.sync(user) == 1_000_001)
    #expect(try stores.carts.histories.current().number == history.number + 1)
    try stores.expectEqual(user)
  }

  @Test("A restart of Redis has every cart compared; the newer copy wins, with a version that nobody has seen")
  func restarted() throws {
    let server = try PrivateRedis(["--appendonly", "yes"])
    let stores = try TwoStores(server.configuration())
    stores.shop.put("A")
    let (ahead, behind) = (CartOwner.anyUser(), CartOwner.anyUser())
    try stores.add(ahead, "A")
    try stores.add(behind, "A")
    _ = try stores.persister.sync([ahead, behind])
    try stores.add(ahead, "A")
    let former = try stores.redis.hash(of: ahead)?.history ?? 0
    server.kill(SIGKILL)
    try server.start()
    let confirmed = try stores.store.cart(of: ahead).cart
    #expect(confirmed.version == 1_000_000 && confirmed.lines.map(\.quantity) == [2])
    #expect(try stores.redis.hash(of: ahead)?.history ?? 0 > former)
    // As an older snapshot of Redis would have it.
    try stores.redis.run("HSET", stores.key(of: behind), "#v", "0", "=A", "9|1|1|1|main|100|AAAAAAAAAAAAAAAA")
    let restored = try stores.store.cart(of: behind).cart
    #expect(restored.version == 1_000_000 && restored.lines.map(\.quantity) == [1])
    _ = try stores.persister.sync([ahead, behind])
    try stores.expectEqual(ahead)
    try stores.expectEqual(behind)
  }

  @Test("A command takes effect once, however often it is carried, and goes when the persisted copy contains it")
  func commands() throws {
    let stores = try TwoStores()
    stores.shop.put("A")
    stores.shop.put("B")
    let user = CartOwner.anyUser()
    try stores.add(user, "A", 5)
    try stores.add(user, "B", 2)
    _ = try stores.persister.sync(user)
    let lines = try stores.store.cart(of: user).cart.lines
    let take = CartCommand.take([
      TakenLine(sku: "A", quantity: 3, born: lines[0].born), TakenLine(sku: "B", quantity: 2, born: lines[1].born),
    ])
    try stores.schema.command(user, 10, after: 0, take)
    try stores.add(user, "A", 1)
    #expect(try stores.restorer.delivery.deliver(to: user).isComplete)
    #expect(try stores.restorer.delivery.deliver(to: user).isComplete)
    let cart = try stores.store.cart(of: user).cart
    #expect(cart.lines.map(\.quantity) == [3] && cart.version == 4)
    #expect(try stores.schema.rows("SELECT count(*) FROM cart_inbox") == [["1"]])
    _ = try stores.persister.sync(user)
    #expect(try stores.schema.rows("SELECT count(*) FROM cart_inbox") == [["0"]])
    try stores.expectEqual(user)
    // One that Redis loses before it was delivered follows the cart out of PostgreSQL.
    try stores.schema.command(user, 11, after: 10, .take([TakenLine(sku: "A", quantity: 1, born: lines[0].born)]))
    try stores.redis.removeAll()
    #expect(try stores.store.cart(of: user).cart.lines.map(\.quantity) == [2])
  }
}

extension PostgresSchema {
  /// Puts a command into a cart's inbox, as an order or a merge does.
  func command(_ owner: CartOwner, _ number: Int64, after previous: Int64, _ command: CartCommand) throws {
    let connection = try connection()
    _ = try connection.query(
      PostgresStatement(
        "test_command",
        """
        WITH cart AS (
          INSERT INTO carts (owner_kind, owner_id, inbox_number) VALUES ($1, $2, $3)
          ON CONFLICT (owner_kind, owner_id) DO UPDATE SET inbox_number = excluded.inbox_number
        )
        INSERT INTO cart_inbox (owner_kind, owner_id, number, previous, action, payload)
        VALUES ($1, $2, $3, $4, $5, $6::jsonb)
        """),
      [
        .text(owner.kind), .text(owner.id), .integer(number), .integer(previous), .text(command.action),
        .text(command.payload),
      ])
  }

  @Test("A cart is brought back once, however many ask for it at the same time")
  func herd() throws {
    let stores = try TwoStores()
    stores.shop.put("A")
    let user = CartOwner.anyUser()
    try stores.add(user, "A", 3)
    _ = try stores.persister.sync(user)
    let workers = try (0..<8).map { _ in
      try TwoStores(RedisTesting.configuration(prefix: stores.redis.keys.prefix), schema: stores.schema)
    }
    let restored = Mutex(0)
    for worker in workers {
      worker.restorer.observe = { report in restored.withLock { $0 += report.restored } }
      #expect(try worker.store.cart(of: user).cart.lines.count == 1)
    }
    try stores.redis.run("DEL", stores.key(of: user))
    let seen = Mutex(0)
    nonisolated(unsafe) let stored = workers.map(\.store)
    DispatchQueue.concurrentPerform(iterations: workers.count) { index in
      let cart = try? unsafe stored[index].cart(of: user).cart
      if cart?.lines.map(\.quantity) == [3] { seen.withLock { $0 += 1 } }
    }
    #expect(seen.withLock(\.self) == workers.count)
    #expect(restored.withLock(\.self) == 1)
  }

  @Test("The place of a cart is its holder's, until he lets go of it")
  func holding() throws {
    let stores = try TwoStores()
    let user = CartOwner.anyUser()
    let history = try stores.carts.histories.current()
    #expect(try stores.carts.leaseRestore([user], token: "first", in: history)[0] != nil)
    #expect(try stores.carts.leaseRestore([user], token: "second", in: history)[0] == nil)
    try stores.carts.release([user], token: "second", in: history)
    #expect(try stores.carts.leaseRestore([user], token: "second", in: history)[0] == nil)
    try stores.carts.release([user], token: "first", in: history)
    #expect(try stores.carts.leaseRestore([user], token: "second", in: history)[0] != nil)
    // One who has died is waited for no longer than PostgreSQL may take.
    let hold = stores.redis.keys.restoreLease(of: user)
    try stores.redis.run("PEXPIRE", hold, String(10_000 - RedisCarts.undisturbedMilliseconds))
    #expect(try stores.carts.leaseRestore([user], token: "third", in: history)[0] != nil)
    #expect(try stores.carts.leaseRestore([user], token: "fourth", in: history)[0] == nil)
    // One that has more time left than it was given: Redis's clock has stepped back.
    try stores.redis.run("PEXPIRE", hold, "3600000")
    #expect(try stores.carts.leaseRestore([user], token: "fourth", in: history)[0] != nil)
  }

  @Test("A copy of before a command that found nothing to do does not take the place of one that has followed it")
  func followedCommand() throws {
    let stores = try TwoStores()
    stores.shop.put("A")
    let user = CartOwner.anyUser()
    try stores.add(user, "A")
    _ = try stores.persister.sync(user)
    let before = try #require(try stores.redis.hash(of: user))
    let usedAt = stores.redis.now
    var after = before
    after.inboxNumber = 7
    #expect(try stores.archive.write([(after, usedAt)]).outcomes == [.written])
    #expect(try stores.archive.write([(before, usedAt)]).outcomes == [.older])
    // Nor when Redis has lost the one that followed: its own copy is as new, but for the command.
    try stores.redis.run("HSET", stores.key(of: user), "#l", "1")
    _ = try stores.restorer.restore([user])
    #expect(try stores.redis.hash(of: user)?.inboxNumber == 7)
  }

  @Test("Who has persisted a cart before PostgreSQL was put back does not take it off the list of those to persist")
  func lateMark() throws {
    let stores = try TwoStores()
    stores.shop.put("A")
    let user = CartOwner.anyUser()
    try stores.add(user, "A")
    let hash = try #require(try stores.redis.hash(of: user))
    let written = try stores.archive.write([(hash, stores.redis.now)])
    // A syncer sees meanwhile that the database is another, and has marked every cart.
    try stores.redis.run("SET", stores.redis.keys.database, DatabaseLineage(tag: "another", number: 1).text)
    let history = try stores.carts.histories.current()
    try stores.carts.markPersisted([hash], tag: written.lineage.tag, in: history)
    #expect(try stores.redis.run("ZCARD", stores.redis.keys.dirty) == "1")
    try stores.carts.markPersisted([hash], tag: "another", in: history)
    #expect(try stores.redis.run("ZCARD", stores.redis.keys.dirty) == "0")
  }

  @Test("A cart that is frozen while a copy of it is persisted stays on the list of those to persist")
  func frozenMeanwhile() throws {
    let stores = try TwoStores()
    stores.shop.put("A")
    let guest = CartOwner.anyGuest()
    try stores.add(guest, "A")
    let hash = try #require(try stores.redis.hash(of: guest))
    let history = try stores.carts.histories.current()
    #expect(try stores.carts.freeze(hash, into: "sum somebody", in: history))
    let written = try stores.archive.write([(hash, stores.redis.now)])
    try stores.carts.markPersisted([hash], tag: written.lineage.tag, in: history)
    #expect(try stores.redis.run("ZCARD", stores.redis.keys.dirty) == "1")
    _ = try stores.persister.sync(guest)
    #expect(try stores.archive.row(of: guest)?.hash.state == .merging)
    #expect(try stores.redis.run("ZCARD", stores.redis.keys.dirty) == "0")
  }

  @Test("A command that names a line which came after the cart was read is not applied by what was read")
  func commandOfLaterCart() throws {
    let stores = try TwoStores()
    for sku: SKU in ["A", "B"] { stores.shop.put(sku) }
    let user = CartOwner.anyUser()
    try stores.add(user, "A")
    let early = try #require(try stores.redis.hash(of: user))
    // An order of what has come since is placed before whoever has read the cart asks for commands.
    let lines = try stores.add(user, "B").reading.cart.lines
    let take = CartCommand.take(lines.map { TakenLine(sku: $0.sku, quantity: 1, born: $0.born) })
    let command = InboxCommand(owner: user, number: 10, previous: 0, command: take, requestID: "")
    let history = try stores.carts.histories.current()
    #expect(try stores.carts.apply(command, to: early, in: history) == nil)
    #expect(try stores.store.cart(of: user).cart.lines.count == 2)
    let now = try #require(try stores.redis.hash(of: user))
    #expect(try stores.carts.apply(command, to: now, in: history) == 3)
    #expect(try stores.store.cart(of: user).cart.lines.isEmpty)
  }

  @Test("A line that came anew since it was ordered stays, and the command is applied all the same")
  func commandOfFormerLine() throws {
    let stores = try TwoStores()
    stores.shop.put("A")
    let user = CartOwner.anyUser()
    let former = try #require(try stores.add(user, "A").reading.cart.lines.first)
    try stores.clear(user)
    try stores.add(user, "A")
    let take = CartCommand.take([TakenLine(sku: "A", quantity: 1, born: former.born)])
    let command = InboxCommand(owner: user, number: 10, previous: 0, command: take, requestID: "")
    let hash = try #require(try stores.redis.hash(of: user))
    #expect(try stores.carts.apply(command, to: hash, in: stores.carts.histories.current()) == 3)
    #expect(try stores.store.cart(of: user).cart.lines.count == 1)
    #expect(try stores.redis.hash(of: user)?.inboxNumber == 10)
  }
}
