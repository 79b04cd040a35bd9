import CartDomain
import Foundation
import TestSupport
import Testing

@testable import CartStores

/// One PostgreSQL, and whatever Redis somebody points at it.
@Suite("Which Redis speaks for a shop", .requiresRedis, .requiresPostgres)
struct SpeakerTests {
  private let user = CartOwner.anyUser()

  private func stores(_ redis: PrivateRedis, _ schema: PostgresSchema? = nil) throws -> TwoStores {
    let stores = try TwoStores(redis.configuration(), schema: schema)
    stores.shop.put("A")
    return stores
  }

  private func isRefused(_ stores: TwoStores, _ owner: CartOwner) -> Bool {
    var error: StoreError?
    do { try stores.add(owner, "A") } catch let caught as StoreError { error = caught } catch {}
    return error?.code == .unavailable && error?.isOutcomeUnknown == false
  }

  private func lineages(_ schema: PostgresSchema) throws -> Int {
    Int(try schema.rows("SELECT count(*) FROM redis_lineages")[0][0] ?? "") ?? -1
  }

  private func isEmpty(_ redis: PrivateRedis) throws -> Bool {
    try RedisConnection(redis.configuration()).list("KEYS", "*").isEmpty
  }

  @Test("A stray one is refused, is left untouched, and harms nobody; adopted, it takes the other's place")
  func stray() throws {
    let (first, second) = (try PrivateRedis(), try PrivateRedis())
    let shop = try stores(first)
    try shop.add(user, "A")
    _ = try shop.persister.sync(user)
    let strays = try stores(second, shop.schema)
    #expect(isRefused(strays, user) && isRefused(strays, .anyGuest()))
    let seen = try strays.store.cart(of: user)
    #expect(seen.isFromArchive && seen.cart.lines.count == 1)
    #expect(try isEmpty(second) && lineages(shop.schema) == 1)
    for _ in 0..<12 { try shop.add(user, "A") }
    #expect(try shop.store.cart(of: user).cart.lines.map(\.quantity) == [13])

    _ = try shop.persister.sync(user)
    let eligibility = try RedisHistories(strays.redis, archive: strays.archive, .looking).eligibility()
    #expect(eligibility.state == .foreign && eligibility.text.contains(first.folder.lastPathComponent))
    #expect(try RedisHistories(strays.redis, archive: strays.archive, .looking).adopt(eligibility))
    #expect(try isEmpty(second), "it is let in, and has not come yet")
    usleep(1_100_000)
    let adopted = try strays.store.cart(of: user)
    #expect(!adopted.isFromArchive && adopted.cart.version == 1_000_000 && adopted.cart.lines.map(\.quantity) == [13])
    // Whoever learns of it tells the other one, and everybody there stops.
    let neighbour = try stores(first, shop.schema)
    #expect(throws: StoreError.self) { try neighbour.carts.histories.current() }
    #expect(try shop.redis.run("GET", shop.redis.keys.pressure)?.hasPrefix("superseded:") == true)
    #expect(isRefused(shop, user))
    #expect(try shop.store.cart(of: user).isFromArchive)
    // Memory that is or is not short does not take the word away.
    try shop.redis.announcePressure()
    #expect(try shop.redis.run("GET", shop.redis.keys.pressure)?.hasPrefix("superseded:") == true)
    // And back.
    let back = RedisHistories(RedisConnection(first.configuration()), archive: shop.archive, .looking)
    #expect(try back.eligibility().state == .superseded)
    #expect(try back.adopt(back.eligibility()))
    usleep(1_100_000)
    #expect(try shop.store.cart(of: user).cart.version == 2_000_000)
    #expect(try shop.redis.run("EXISTS", shop.redis.keys.pressure) == "0")
    try shop.add(user, "A")
    // A syncer there would have looked by now.
    #expect(throws: StoreError.self) { try strays.carts.histories.check() }
    #expect(isRefused(strays, user), "the one that was adopted before")
  }

  @Test("A syncer learns within a second that another history is the newest, and tells the workers")
  func deposed() throws {
    let first = try PrivateRedis()
    let shop = try stores(first)
    try shop.add(user, "A")
    let histories = shop.carts.histories
    try histories.check()
    _ = try shop.schema.rows(
      "INSERT INTO redis_lineages (number, replication_id) SELECT max(number) + 1, 'other' FROM redis_lineages")
    try shop.add(user, "A")
    usleep(1_100_000)
    #expect(throws: StoreError.self) { try histories.check() }
    let worker = try stores(first, shop.schema)
    #expect(isRefused(worker, user) && isRefused(shop, user))
    #expect(try shop.redis.hash(of: user)?.cart.version == 2, "nothing was changed since")
  }

  @Test("Out of memory, it is told all the same")
  func fullAndDeposed() throws {
    let first = try PrivateRedis()
    let shop = try stores(first)
    try shop.add(user, "A")
    try shop.redis.run("CONFIG", "SET", "maxmemory", "1")
    _ = try shop.schema.rows(
      "INSERT INTO redis_lineages (number, replication_id) SELECT max(number) + 1, 'other' FROM redis_lineages")
    #expect(throws: StoreError.self) { try stores(first, shop.schema).carts.histories.current() }
    #expect(try shop.redis.run("GET", shop.redis.keys.pressure)?.hasPrefix("superseded:") == true)
  }

  @Test("Another shop's Redis is refused, though it is registered there, and is told nothing")
  func anotherShops() throws {
    let (first, second) = (try PrivateRedis(), try PrivateRedis())
    let (shop, other) = (try stores(first), try stores(second))
    for stores in [shop, other] {
      try stores.add(user, "A")
      _ = try stores.persister.sync(user)
    }
    let wrong = try stores(second, shop.schema)
    #expect(isRefused(wrong, user) && isRefused(wrong, .anyGuest()))
    #expect(try RedisHistories(wrong.redis, archive: wrong.archive, .looking).eligibility().isOfAnotherShop)
    try other.add(user, "A")
    #expect(try other.redis.run("EXISTS", other.redis.keys.pressure) == "0")
  }

  @Test("Emptied, replaced or put back in its place it goes on by itself; elsewhere it does not")
  func replaced() throws {
    let first = try PrivateRedis()
    let shop = try stores(first)
    try shop.add(user, "A")
    _ = try shop.persister.sync(user)
    first.kill(SIGKILL)
    try first.start()
    #expect(try shop.store.cart(of: user).cart.version == 1_000_000, "it had no file: it comes back empty")
    let elsewhere = try PrivateRedis()
    #expect(isRefused(try stores(elsewhere, shop.schema), user))
    // After a drain any place will do, until the first change.
    _ = try shop.persister.sync(user)
    try shop.dropEvents()
    #expect(try shop.carts.histories.close(draining: true))
    try shop.add(user, "A")
    #expect(isRefused(try stores(elsewhere, shop.schema), user))
    _ = try shop.persister.sync(user)
    try shop.dropEvents()
    #expect(try shop.carts.histories.close(draining: true))
    let next = try stores(elsewhere, shop.schema)
    try next.add(user, "A")
    #expect(try next.store.cart(of: user).cart.version == 2_000_001)
  }

  @Test("Two at once: one registers, and the other finds it")
  func together() throws {
    let first = try PrivateRedis()
    let schema = try PostgresSchema()
    let workers = try (0..<6).map { _ in try stores(first, schema) }
    nonisolated(unsafe) let histories = workers.map(\.carts.histories)
    nonisolated(unsafe) var found: [RedisHistory?] = Array(repeating: nil, count: workers.count)
    let lock = NSLock()
    DispatchQueue.concurrentPerform(iterations: workers.count) { index in
      let history = try? unsafe histories[index].current()
      lock.withLock { unsafe found[index] = history }
    }
    let numbers = Set(unsafe found.map { $0?.number })
    #expect(numbers.count == 1 && numbers.first != .some(nil))
    #expect(try lineages(schema) == 1)
  }

  @Test("Who registers a process by an id that it has no more does not depose it")
  func late() throws {
    let first = try PrivateRedis()
    let shop = try stores(first)
    try shop.add(user, "A")
    _ = try shop.persister.sync(user)
    _ = try shop.schema.rows(
      """
      INSERT INTO redis_lineages (number, replication_id, run_id, location)
      SELECT number + 1, 'former', run_id, location FROM redis_lineages
      """)
    let worker = try stores(first, shop.schema)
    try worker.add(user, "A")
    #expect(try worker.persister.sync(user) == 1_000_001, "compared, for nobody knows")
    #expect(try lineages(shop.schema) == 1)
    #expect(throws: Never.self) { try shop.carts.histories.check() }
    try shop.add(user, "A")
  }

  @Test("Commands look: they register nothing, and write into no stray")
  func commands() throws {
    let (first, second) = (try PrivateRedis(), try PrivateRedis())
    let bench = try CommandBench()
    let shop = try stores(first, bench.schema)
    func environment(_ redis: PrivateRedis) -> [String: String] {
      guard case .unix(let path) = redis.address else { return [:] }
      return ["CART_REDIS": "unix:" + path, "CART_REDIS_PREFIX": ""]
    }
    let fresh = try bench.run("sync", "--all", environment: environment(first))
    #expect(fresh.status == 0 && fresh.errors.contains("no cartd"), "a brand-new shop: \(fresh)")
    #expect(try lineages(bench.schema) == 0)
    try shop.add(user, "A")
    let name = "\(user.kind):\(user.id)"
    #expect(try bench.run("sync", "--all", environment: environment(first)).status == 0)
    let file = bench.folder.appendingPathComponent("p.ndjson")
    try Data(#"{"sku":"A","name":"A","unitPrice":100,"currency":"GBP"}"#.utf8).write(to: file)
    let stray = environment(second)
    let refused: [[String]] = [
      ["sync", name], ["sync", "--all"], ["restore", name], ["rebuild"], ["rebuild", "--dry-run"],
      ["forget", name, "--yes"], ["drain"],
    ]
    for command in refused {
      let result = try bench.run(command, environment: stray)
      #expect(result.status == 1 && result.errors.contains(first.folder.lastPathComponent), "\(command): \(result)")
    }
    let imported = try bench.run("catalog", "import", file.path, environment: stray)
    #expect(imported.status == 3, "\(imported)")
    #expect(try bench.run("catalog", "retire", "A", environment: stray).status == 3)
    for command in [["show", name], ["log", name], ["status"], ["doctor"], ["catalog", "show", "A"]] {
      _ = try bench.run(command, environment: stray)
    }
    let doctor = try bench.run("doctor", environment: stray)
    #expect(doctor.status == 1 && doctor.output.contains("set CART_REDIS to "))
    #expect(doctor.output.contains("cartctl adopt"))
    #expect(try bench.run("show", name, environment: stray).output.contains("from PostgreSQL"))
    #expect(try bench.run("adopt", environment: stray).status == 64)
    #expect(try isEmpty(second) && lineages(bench.schema) == 1)
    for _ in 0..<12 { try shop.add(user, "A") }
    #expect(try shop.store.cart(of: user).cart.version == 13)

    // On the shop's own Redis they work, also after it has forgotten everything.
    try shop.redis.run("FLUSHALL")
    #expect(try bench.run("rebuild", environment: environment(first)).output.hasPrefix("carts: 1, restored: 1"))
    #expect(try shop.redis.run("EXISTS", shop.redis.keys.history) == "0")
    #expect(try bench.run("adopt", environment: environment(first)).status == 0)
    let drained = try bench.run("drain", environment: environment(first))
    #expect(drained.status == 0 && drained.output.contains("PostgreSQL has all of it"), "\(drained)")
    let next = try stores(second, bench.schema)
    try next.add(user, "A")
    #expect(isRefused(shop, user), "the first one is closed, and another speaks for the shop when it is opened")
    let adopted = try bench.run("adopt", "--yes", environment: environment(first))
    #expect(adopted.status == 0 && adopted.output.contains("history"), "\(adopted)")
    usleep(1_100_000)
    try shop.add(user, "A")
    #expect(throws: StoreError.self) { try next.carts.histories.check() }
    #expect(isRefused(next, user))
  }

  @Test("A command on a history that no cartd has registered yet waits for one")
  func unregistered() throws {
    let first = try PrivateRedis(["--appendonly", "yes", "--appendfsync", "always"])
    let bench = try CommandBench()
    let shop = try stores(first, bench.schema)
    try shop.add(user, "A")
    guard case .unix(let path) = first.address else { return }
    let environment = ["CART_REDIS": "unix:" + path, "CART_REDIS_PREFIX": ""]
    first.kill(SIGKILL)
    try first.start()
    let early = try bench.run("sync", "\(user.kind):\(user.id)", environment: environment)
    #expect(early.status == 1 && early.errors.contains("Start cartd"), "\(early)")
    #expect(try lineages(bench.schema) == 1)
    _ = try shop.store.cart(of: user)
    #expect(try bench.run("sync", "\(user.kind):\(user.id)", environment: environment).status == 0)
  }
}

/// What a Redis loses, and what becomes of the versions.
@Suite("Versions that never come twice", .requiresRedis, .requiresPostgres)
struct VersionTests {
  fileprivate let user = CartOwner.anyUser()

  fileprivate func stores(_ configuration: RedisConfiguration, _ schema: PostgresSchema? = nil) throws -> TwoStores {
    let stores = try TwoStores(configuration, schema: schema)
    stores.shop.put("A")
    return stores
  }

  /// Whether a change under the condition that the cart has this version is refused.
  fileprivate func isMismatch(_ version: Int64, _ stores: TwoStores) throws -> Bool {
    try stores.store.change(
      ChangeRequest(
        owner: user, change: .remove(.all), isNewGuest: false, condition: .oneOf([version]), requestID: "request")
    ).outcome == .versionMismatch
  }

  @Test("Redis is killed and has lost its last change, which PostgreSQL has not either")
  func lostTail() throws {
    let server = try PrivateRedis(["--appendonly", "yes", "--appendfsync", "no"])
    let stores = try stores(server.configuration())
    try stores.add(user, "A")
    _ = try stores.persister.sync(user)
    let before = try FileManager.default.contentsOfDirectory(
      at: server.folder.appendingPathComponent("appendonlydir"), includingPropertiesForKeys: nil)
    let tail = try #require(before.first { $0.lastPathComponent.hasSuffix(".incr.aof") })
    let size = try Data(contentsOf: tail).count
    #expect(try stores.add(user, "A").reading.cart.version == 2)
    server.kill(SIGKILL)
    try Data(contentsOf: tail).prefix(size).write(to: tail)
    try server.start()
    #expect(try isMismatch(2, stores) && isMismatch(1, stores))
    let cart = try stores.store.cart(of: user).cart
    #expect(cart.version == 1_000_000 && cart.lines.map(\.quantity) == [1])
    // Once more, before PostgreSQL has anything of it.
    try stores.add(user, "A")
    server.kill(SIGKILL)
    try Data(contentsOf: tail).prefix(size).write(to: tail)
    try server.start()
    #expect(try isMismatch(1_000_001, stores))
    #expect(try stores.store.cart(of: user).cart.version == 2_000_000)
  }

  @Test("A replica is promoted that lacks the last changes; the old primary is still written to")
  func promotion() throws {
    let primary = try PrivateRedis(["--repl-diskless-sync-delay", "0"], overTCP: true)
    guard case .tcp(_, let port) = primary.address else { return }
    let stores = try stores(primary.configuration())
    try stores.add(user, "A")
    let replica = try PrivateRedis(["--replicaof", "127.0.0.1 \(port)"])
    let link = RedisConnection(replica.configuration())
    while try link.run("HGET", stores.key(of: user), "#v") != "1" {}
    // From here on it lags behind.
    let number = try stores.carts.histories.current().number
    try link.run("REPLICAOF", "127.0.0.1", "1")
    #expect(try stores.add(user, "A").reading.cart.version == 2)
    try link.run("REPLICAOF", "NO", "ONE")
    let promoted = try self.stores(replica.configuration(), stores.schema)
    let cart = try promoted.store.cart(of: user).cart
    #expect(cart.version == 1_000_000 && cart.lines.map(\.quantity) == [1])
    #expect(try isMismatch(2, promoted))
    #expect(try promoted.carts.histories.current().number > number)
    // Whoever is still there is told at the latest when he asks PostgreSQL, and all others with him.
    #expect(throws: StoreError.self) { try stores.persister.sync(user) }
    #expect(throws: StoreError.self) { try stores.add(user, "A") }
    #expect(try stores.redis.run("HGET", stores.key(of: user), "#v") == "2")
  }

  @Test("Redis is put back to an older state")
  func olderState() throws {
    let server = try PrivateRedis(["--dbfilename", "dump.rdb"])
    let stores = try stores(server.configuration())
    let other = CartOwner.anyUser()
    try stores.add(user, "A")
    try stores.add(other, "A")
    _ = try stores.persister.sync([user, other])
    try stores.redis.run("SAVE")
    #expect(try stores.add(user, "A").reading.cart.version == 2)
    server.kill(SIGKILL)
    try server.start()
    #expect(try isMismatch(2, stores))
    #expect(try stores.store.cart(of: user).cart.version == 1_000_000)
    // A copy that PostgreSQL has in the same state is as doubtful.
    #expect(try stores.store.cart(of: other).cart.version == 1_000_000)
  }

  @Test("A cart that PostgreSQL never had is lost twice")
  func neverPersisted() throws {
    let server = try PrivateRedis(["--appendonly", "yes", "--appendfsync", "always"])
    let stores = try stores(server.configuration())
    try stores.add(user, "A")
    server.kill(SIGKILL)
    try server.start()
    #expect(try stores.add(user, "A").reading.cart.version == 1_000_001)
    try stores.redis.run("FLUSHALL")
    #expect(try stores.store.cart(of: user).cart.version == 2_000_000)
    #expect(try isMismatch(1, stores))
  }

  @Test("Its first replica comes, or it is told to follow somebody who is not there: the same process loses nothing")
  func sameProcess() throws {
    let server = try PrivateRedis(["--repl-diskless-sync-delay", "0", "--repl-backlog-ttl", "1"], overTCP: true)
    guard case .tcp(_, let port) = server.address else { return }
    let stores = try stores(server.configuration())
    try stores.add(user, "A")
    let history = try stores.carts.histories.current()
    do {
      let replica = try PrivateRedis(["--replicaof", "127.0.0.1 \(port)"])
      while try stores.redis.run("WAIT", "1", "100") != "1" {}
      usleep(1_100_000)
      #expect(try stores.add(user, "A").reading.cart.version == 2)
      let now = try stores.carts.histories.current()
      #expect(now.replicationID != history.replicationID && now.number == history.number)
      replica.kill(SIGKILL)
    }
    try stores.redis.run("REPLICAOF", "127.0.0.1", "1")
    #expect(throws: StoreError.self) { try stores.add(user, "A") }
    let link = RedisConnection(server.configuration())
    try link.run("REPLICAOF", "NO", "ONE")
    #expect(try stores.add(user, "A").reading.cart.version == 3)
    #expect(try stores.carts.histories.current().number == history.number)
  }

  @Test("Closed in order, Redis may be started again: versions go on, until it is killed")
  func closed() throws {
    let server = try PrivateRedis(["--appendonly", "yes", "--appendfsync", "always"])
    let stores = try stores(server.configuration())
    try stores.add(user, "A")
    #expect(try !stores.carts.histories.close(), "PostgreSQL has not all of it")
    _ = try stores.persister.sync(user)
    try stores.dropEvents()
    #expect(try stores.carts.histories.close())
    #expect(try stores.carts.histories.close(), "twice is once")
    server.kill(SIGKILL)
    try server.start()
    let worker = try self.stores(server.configuration(), stores.schema)
    #expect(try worker.store.cart(of: user).cart.version == 1)
    #expect(try worker.redis.run("EXISTS", worker.redis.keys.pressure) == "0", "whoever connects opens it")
    #expect(try worker.add(user, "A").reading.cart.version == 2)
    // Closed under the feet of a worker, it is opened by the next change.
    _ = try worker.persister.sync(user)
    try worker.dropEvents()
    #expect(try worker.carts.histories.close())
    #expect(try worker.add(user, "A").reading.cart.version == 3)
    #expect(try stores.schema.rows("SELECT closed FROM redis_lineages") == [[""]])
    server.kill(SIGKILL)
    try server.start()
    #expect(try worker.store.cart(of: user).cart.version == 1_000_000)
    // A change while PostgreSQL is away waits for it; nothing is lost, and nobody is told wrong.
    _ = try worker.persister.sync(user)
    try worker.dropEvents()
    #expect(try worker.carts.histories.close())
    let away = PostgresConnection(try PostgresConfiguration(connectionString: "host=/nonexistent"))
    let alone = StoreGraph(worker.redis, away, source: worker.shop).store
    #expect(throws: StoreError.self) {
      try alone.change(ChangeRequest(owner: user, change: .remove(.all), isNewGuest: false, requestID: "request"))
    }
    #expect(try worker.add(user, "A").reading.cart.version == 1_000_001)
  }
}

extension VersionTests {
  @Test("Closed, emptied and used again, and then put back to where it was closed: that is an older state")
  func closedAndEmptied() throws {
    let server = try PrivateRedis(["--dbfilename", "dump.rdb"])
    let stores = try stores(server.configuration())
    try stores.add(user, "A")
    _ = try stores.persister.sync(user)
    try stores.dropEvents()
    #expect(try stores.carts.histories.close())
    try stores.redis.run("SAVE")
    try stores.redis.run("FLUSHALL")
    #expect(try stores.add(user, "A").reading.cart.version == 1_000_001)
    server.kill(SIGKILL)
    try server.start()
    #expect(try stores.redis.run("GET", stores.redis.keys.pressure)?.hasPrefix("closed:") == true)
    #expect(try isMismatch(1_000_001, stores))
    #expect(try stores.store.cart(of: user).cart.version == 2_000_000)
  }
}

extension VersionTests {
  @Test("Emptied and rebuilt, then closed in order: versions go on after a restart")
  func emptiedAndClosed() throws {
    let server = try PrivateRedis(["--appendonly", "yes", "--appendfsync", "always"])
    let stores = try stores(server.configuration())
    try stores.add(user, "A")
    _ = try stores.persister.sync(user)
    try stores.redis.run("FLUSHALL")
    #expect(try stores.restorer.restore([user]).restored == 1)
    #expect(try stores.persister.sync(user) == 1_000_000)
    try stores.dropEvents()
    #expect(try stores.carts.histories.close())
    server.kill(SIGKILL)
    try server.start()
    let worker = try self.stores(server.configuration(), stores.schema)
    #expect(try worker.store.cart(of: user).cart.version == 1_000_000)
    #expect(try stores.schema.rows("SELECT count(*) FROM redis_lineages") == [["1"]])
  }

  @Test("Emptied, a Redis is told within a second again in which history it is")
  func emptied() throws {
    let server = try PrivateRedis()
    let stores = try stores(server.configuration())
    let histories = stores.carts.histories
    try histories.check()
    let registration = try stores.redis.run("GET", stores.redis.keys.history)
    try stores.redis.run("FLUSHALL")
    usleep(1_100_000)
    try histories.check()
    #expect(try stores.redis.run("GET", stores.redis.keys.history) == registration)
  }
}

@Suite("Connections to Redis that lead elsewhere", .requiresRedis, .requiresPostgres)
struct DepartureTests {
  @Test("A demoted Redis is left within a second, by readers too")
  func demoted() throws {
    let server = try PrivateRedis()
    let stores = try TwoStores(server.configuration())
    stores.shop.put("A")
    let user = CartOwner.anyUser()
    try stores.add(user, "A")
    _ = try stores.persister.sync(user)
    let link = RedisConnection(server.configuration())
    try link.run("REPLICAOF", "127.0.0.1", "1")
    usleep(1_000_000)
    #expect(try stores.store.cart(of: user).isFromArchive)
    #expect(throws: StoreError.self) { try stores.add(user, "A") }
    try link.run("REPLICAOF", "NO", "ONE")
    #expect(try stores.store.cart(of: user).isFromArchive == false)
    #expect(try stores.add(user, "A").reading.cart.version == 2)
  }

  @Test("Too few replicas: refused before anything is done, and known to be")
  func replicas() throws {
    let server = try PrivateRedis()
    let stores = try TwoStores(server.configuration())
    stores.shop.put("A")
    let user = CartOwner.anyUser()
    try stores.add(user, "A")
    try stores.redis.run("CONFIG", "SET", "min-replicas-to-write", "1")
    var error: StoreError?
    do { try stores.add(user, "A") } catch let caught as StoreError { error = caught }
    #expect(error?.message.contains("NOREPLICAS") == true && error?.isOutcomeUnknown == false)
    #expect(throws: StoreError.self) { try stores.carts.histories.tryWriting(withPostgres: true) }
    try stores.redis.run("CONFIG", "SET", "min-replicas-to-write", "0")
    #expect(try stores.add(user, "A").reading.cart.version == 2)
    try stores.carts.histories.tryWriting(withPostgres: false)
  }

  @Test("Too few replicas: what was acknowledged before that reaches PostgreSQL all the same")
  func acknowledgedWithReplicas() throws {
    let server = try PrivateRedis()
    let stores = try TwoStores(server.configuration())
    stores.shop.put("A")
    let user = CartOwner.anyUser()
    let syncer = try stores.syncer()
    try syncer.turn()
    try stores.add(user, "A")
    try stores.redis.run("CONFIG", "SET", "min-replicas-to-write", "1")
    // Until the syncer must say again that it lives.
    usleep(1_100_000)
    #expect(throws: StoreError.self) { try syncer.turn() }
    #expect(try stores.archive.row(of: user)?.hash.cart.version == 1)
    #expect(try stores.archive.changes(of: user, limit: 100).map(\.version) == [1])
    try stores.redis.run("CONFIG", "SET", "min-replicas-to-write", "0")
    try syncer.turn()
    while try stores.redis.hash(of: user)?.persistedVersion != 1 { try syncer.turn() }
  }

  @Test("A connection has an age")
  func age() throws {
    let server = try PrivateRedis()
    var configuration = server.configuration()
    configuration.maximumAge = 50
    let connection = RedisConnection(configuration)
    let first = try connection.run("CLIENT", "ID")
    #expect(try connection.run("CLIENT", "ID") == first)
    usleep(61_000)
    #expect(try connection.run("CLIENT", "ID") != first)
  }
}

extension TwoStores {
  /// As if a syncer had recorded every change.
  fileprivate func dropEvents() throws {
    for event in try redis.events() { try redis.run("XDEL", redis.keys.stream, event.id) }
  }
}
