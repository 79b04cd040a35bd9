import CartDomain
import Foundation
import Testing

@testable import CartStores

/// What becomes of changes when Redis restarts, hangs, is full or refuses. Each test has a Redis of its own.
@Suite("A Redis that fails", .requiresRedis, .requiresPostgres) struct RedisConnectionTests {
  private struct Rig {
    private let stores: TwoStores
    var connection: RedisConnection { stores.redis }
    var store: RedisCartStore { stores.store }

    init(_ configuration: RedisConfiguration) throws {
      stores = try TwoStores(configuration)
      stores.shop.put("A")
    }

    private init(_ stores: TwoStores) { self.stores = stores }

    /// Another worker, as patient as this one.
    func other() throws -> Rig { Rig(try stores.worker()) }

    func add(_ owner: CartOwner, _ quantity: Int = 1, data: ClientDataEdit = .keep) throws(StoreError) -> Cart {
      let addition = LineAddition(sku: "A", quantity: quantity, clientData: data)
      return try store.change(ChangeRequest(owner: owner, change: .add([addition]))).reading.cart
    }

    func change(_ owner: CartOwner, _ change: CartChange) throws(StoreError) -> ChangeReading.Outcome {
      try store.change(ChangeRequest(owner: owner, change: change)).outcome
    }
  }

  @Test("Forgotten scripts are sent again")
  func forgottenScripts() throws {
    let redis = try PrivateRedis()
    let rig = try Rig(redis.configuration())
    let user = CartOwner.anyUser()
    #expect(try rig.add(user).version == 1)
    try rig.connection.run("SCRIPT", "FLUSH")
    #expect(try rig.add(user).version == 2)
    #expect(try rig.add(user).version == 3)
  }

  @Test("After a restart the next change goes through on a new connection", arguments: [false, true])
  func restart(overTCP: Bool) throws {
    let redis = try PrivateRedis(["--appendonly", "yes", "--appendfsync", "always"], overTCP: overTCP)
    let rig = try Rig(redis.configuration())
    let user = CartOwner.anyUser()
    #expect(try rig.add(user).version == 1)
    redis.kill(SIGKILL)
    #expect(throws: StoreError.self) { try rig.add(user) }
    #expect(throws: StoreError.self) { try rig.store.cart(of: user) }
    try redis.start()
    // It is compared with PostgreSQL, which can't know what Redis may have lost.
    #expect(try rig.add(user).version == 1_000_001)
    redis.kill(SIGKILL)
    try redis.start()
    #expect(try rig.add(user).version == 2_000_001)
    redis.kill(SIGKILL)
    try redis.start()
    let cart = try rig.store.cart(of: user).cart
    #expect(cart.version == 3_000_000 && cart["A"]?.quantity == 3)
  }

  @Test("A hanging Redis costs one time-out, and does not do late what it was asked")
  func hanging() throws {
    let redis = try PrivateRedis()
    let timeout: Int64 = 3_000
    let rig = try Rig(redis.configuration(timeoutMilliseconds: timeout))
    let reader = try rig.other()
    let user = CartOwner.anyUser()
    let other = try rig.other()
    #expect(try rig.add(user).version == 1)
    #expect(try reader.store.cart(of: user).cart.version == 1)
    redis.signal(SIGSTOP)
    // Well below two time-outs: nothing is tried twice.
    func failure(_ body: () throws -> Void) -> StoreError? {
      let start = RedisClock.monotonic
      defer { #expect(RedisClock.monotonic - start < timeout * 18 / 10) }
      do { try body() } catch { return error as? StoreError }
      return nil
    }
    let change = failure { _ = try rig.add(user) }
    #expect(change?.code == .unavailable && change?.isOutcomeUnknown == true)
    let read = failure { _ = try reader.store.cart(of: user) }
    #expect(read?.code == .unavailable && read?.isOutcomeUnknown == false)
    let reconnect = failure { _ = try rig.add(user) }
    #expect(reconnect?.code == .unavailable && reconnect?.isOutcomeUnknown == false)
    redis.signal(SIGCONT)
    // Redis first works off what it was sent before.
    #expect(try other.store.cart(of: user).cart.version == 1)
    #expect(try rig.add(user).version == 2)
    #expect(try other.connection.events().count == 2)
  }

  @Test("A change that comes late is not done, and the clock is learnt anew")
  func late() throws {
    let redis = try PrivateRedis()
    let rig = try Rig(redis.configuration())
    let user = CartOwner.anyUser()
    #expect(try rig.add(user).version == 1)
    // As if Redis's clock had leapt ahead by an hour since it was last asked.
    let before = rig.connection.now
    rig.connection.learnTime(before.milliseconds - 3_600_000, sent: .min / 4)
    rig.connection.learnTime(before.milliseconds - 3_600_000, sent: RedisClock.monotonic)
    #expect(rig.connection.now < before)
    #expect(try rig.add(user).version == 2)
    // It is never ahead of Redis's, and a slow answer may leave it some milliseconds behind.
    #expect(rig.connection.now > before.adding(milliseconds: -60_000))
  }

  @Test("A connection that breaks: a read is tried again, a change is told as unknown")
  func broken() throws {
    let redis = try PrivateRedis(["--enable-debug-command", "yes"])
    let rig = try Rig(redis.configuration())
    let user = CartOwner.anyUser()
    #expect(try rig.add(user).version == 1)
    /// Redis takes in what `body` sends when it has already been told to close the connection.
    func whileBreaking(_ body: () throws -> Void) throws {
      let configuration = redis.configuration()
      let thread = Thread {
        let commands = [RedisCommand("DEBUG", "SLEEP", "0.4"), RedisCommand("CLIENT", "KILL", "TYPE", "normal")]
        _ = try? RedisConnection(configuration).exchange(commands, .idempotent)
      }
      thread.start()
      let impatient = redis.configuration(timeoutMilliseconds: 20)
      while (try? RedisConnection(impatient).connect()) != nil {}
      try body()
    }
    var read: Cart?
    try whileBreaking { read = try rig.store.cart(of: user).cart }
    #expect(read?.version == 1)
    var error: StoreError?
    try whileBreaking { do { _ = try rig.add(user) } catch let caught as StoreError { error = caught } }
    #expect(error?.code == .unavailable && error?.isOutcomeUnknown == true)
    #expect(try rig.store.cart(of: user).cart.version == 1)
  }

  @Test("Answers stay as they are while later ones come, however long they are")
  func overlappingAnswers() throws {
    let redis = try PrivateRedis()
    let connection = RedisConnection(redis.configuration())
    let long = String(repeating: "x", count: 100_000)
    let pushed = RedisCommand("EVAL", "local t = {} for i = 1, 5000 do t[i] = tostring(i) end return t", "0")
    let first = try connection.exchange(
      [RedisCommand("ECHO", "first"), RedisCommand("ECHO", long), pushed], .idempotent)
    let second = try connection.exchange([RedisCommand("ECHO", long + "y"), RedisCommand("GET", "none")], .idempotent)
    let short = try first.read(0) { value throws(StoreError) in try value.string() }
    let whole = try first.read(1) { value throws(StoreError) in try value.string() }
    let last = try first.read(2) { list throws(StoreError) in
      try list.element(4_999) { value throws(StoreError) in try value.string() }
    }
    let later = try second.read(0) { value throws(StoreError) in try value.string() }
    let isNull = try second.read(1) { value in value.isNull }
    #expect(short == "first" && whole == long && last == "5000" && later == long + "y" && isNull)
  }

  @Test("Without memory adds are refused; removing, lowering and selecting work")
  func outOfMemory() throws {
    let redis = try PrivateRedis(["--maxmemory-policy", "noeviction"])
    let rig = try Rig(redis.configuration())
    let user = CartOwner.anyUser()
    let guest = CartOwner.anyGuest()
    #expect(try rig.add(user, 5).version == 1)
    _ = try rig.store.change(
      ChangeRequest(owner: guest, change: .add([LineAddition(sku: "A", quantity: 1)]), isNewGuest: true))
    try rig.connection.run("HSET", rig.connection.keys.cart(of: guest), "#k", "1")
    try rig.connection.run("CONFIG", "SET", "maxmemory", "1")
    let edit = LineEdit(clientData: .replace(Array(#"{"gift":true}"#.utf8)))
    for change in [CartChange.add([LineAddition(sku: "A", quantity: 1)]), .edit("A", edit)] {
      var error: StoreError?
      do { _ = try rig.change(user, change) } catch let caught { error = caught }
      #expect(error?.code == .unavailable && error?.isOutcomeUnknown == false)
    }
    #expect(try rig.store.cart(of: user).cart.version == 1)
    #expect(try rig.store.cart(of: guest).isCookieDue)
    #expect(try rig.change(user, .edit("A", LineEdit(quantity: .delta(-1)))) == .changed)
    #expect(try rig.change(user, .select(false, .all)) == .changed)
    #expect(try rig.change(user, .remove(.all)) == .changed)
    try rig.connection.run("CONFIG", "SET", "maxmemory", "0")
    #expect(try rig.add(user).version == 5)
  }

  @Test("A replica refuses changes, and PostgreSQL answers reads")
  func replica() throws {
    let redis = try PrivateRedis()
    let rig = try Rig(redis.configuration())
    let user = CartOwner.anyUser()
    #expect(try rig.add(user).version == 1)
    #expect(try rig.store.sync(user) == 1)
    try rig.connection.run("REPLICAOF", "127.0.0.1", "1")
    var error: StoreError?
    do { _ = try rig.add(user) } catch let caught { error = caught }
    #expect(error?.code == .unavailable && error?.isOutcomeUnknown == false)
    #expect(error?.message == RedisHistories.isReplica.message)
    let reading = try rig.store.cart(of: user)
    #expect(reading.isFromArchive && reading.cart.version == 1)
  }

  @Test("User, password and database are used; a wrong password is told without it")
  func authentication() throws {
    let redis = try PrivateRedis([
      "--user", "default", "off", "--user", "cart", "on", ">correct-horse", "~shop:*", "+@all", "-@dangerous",
    ])
    var configuration = redis.configuration()
    configuration.user = "cart"
    configuration.password = Array("correct-horse".utf8)
    configuration.database = 3
    configuration.prefix = "shop:"
    let user = CartOwner.anyUser()
    #expect(try Rig(configuration).add(user).version == 1)
    configuration.database = 0
    let other = try Rig(configuration)
    #expect(try other.store.cart(of: user).cart.version == 0)
    configuration.password = Array("wrong-horse".utf8)
    var error: StoreError?
    do { try RedisConnection(configuration).connect() } catch let caught { error = caught }
    #expect(error?.code == .unavailable && error.map { !"\($0)".contains("horse") } == true)
    configuration.password = Array("correct-horse".utf8)
    configuration.prefix = "other:"
    #expect(throws: StoreError.self) { try Rig(configuration).add(user) }
  }

  @Test("A socket whose path is longer than the system allows is reached")
  func longPath() throws {
    let name = String(repeating: "long", count: 40)
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(RedisTesting.uniqueName(name))
    let redis = try PrivateRedis(folder: folder)
    #expect(try Rig(redis.configuration()).add(.anyUser()).version == 1)
  }

  @Test("Nobody there is an error at once", arguments: ["unix:/nonexistent/r.sock", "127.0.0.1:1"])
  func nobody(_ address: String) throws {
    let configuration = RedisConfiguration(address: try #require(.init(address)))
    var error: StoreError?
    do { try RedisConnection(configuration).connect() } catch let caught { error = caught }
    #expect(error?.code == .unavailable && error?.isOutcomeUnknown == false)
  }

  @Test("Keys that hold something else are told, and nothing is changed")
  func otherTypes() throws {
    let redis = try PrivateRedis()
    let rig = try Rig(redis.configuration())
    let user = CartOwner.anyUser()
    #expect(try rig.add(user).version == 1)
    let keys = rig.connection.keys
    for key in [keys.stream, keys.dirty, keys.active] {
      try rig.connection.run("DEL", key)
      try rig.connection.run("SET", key, "a string")
      var error: StoreError?
      do { _ = try rig.add(user) } catch let caught { error = caught }
      #expect(error?.code == .corrupt)
      #expect(try rig.store.cart(of: user).cart.version == 1)
      try rig.connection.run("DEL", key)
    }
    #expect(try rig.add(user).version == 2)
  }
}
