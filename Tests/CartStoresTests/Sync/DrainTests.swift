import CartDomain
import Testing

@testable import CartStores

@Suite("All at once", .requiresRedis, .requiresPostgres)
struct DrainTests {
  private func syncer(_ stores: TwoStores, batch: Int = 2) throws -> Syncer {
    var configuration = Syncer.Configuration()
    configuration.batch = batch
    return try stores.syncer("drain", mode: .looking, configuration: configuration)
  }

  @Test("Stream, dirty carts, abandoned changes and commands: nothing is left, and another may read the stream")
  func everything() throws {
    let stores = try TwoStores()
    stores.shop.put("A")
    let users = (0..<7).map { _ in CartOwner.anyUser() }
    for user in users { try stores.add(user, "A", 4) }
    // One whose event is lost, as where Redis had no room for it.
    let quiet = CartOwner.anyUser()
    try stores.add(quiet, "A")
    let last = try #require(try stores.redis.events().last)
    try stores.redis.run("XDEL", stores.redis.keys.stream, last.id)
    // One with a command that nobody has delivered.
    let ordered = users[0]
    _ = try stores.persister.sync(ordered)
    let line = try #require(try stores.store.cart(of: ordered).cart.lines.first)
    try stores.schema.command(ordered, 10, after: 0, .take([TakenLine(sku: "A", quantity: 3, born: line.born)]))
    #expect(try syncer(stores).drain() == Syncer.Remainder())
    for user in users + [quiet] { try stores.expectEqual(user) }
    #expect(try stores.store.cart(of: ordered).cart.lines.map(\.quantity) == [1])
    #expect(try stores.schema.rows("SELECT count(*) FROM cart_inbox") == [["0"]])
    #expect(try stores.redis.run("ZCARD", stores.redis.keys.dirty) == "0")
    #expect(try stores.redis.run("XLEN", stores.redis.keys.stream) == "0")
    #expect(try stores.redis.run("GET", stores.redis.keys.reader) == nil)
    #expect(try SyncState(of: stores.redis).syncers.isEmpty)
    // 7 adds were recorded, the lost one not, and the command's own change.
    #expect(try stores.archive.changes(of: users[1], limit: 10).count == 1)
    #expect(try stores.archive.changes(of: ordered, limit: 10).map(\.after?.quantity) == [4, 1])
  }

  @Test("A cart that nobody uses stays in Redis where PostgreSQL has just been put back to a state without it")
  func idle() throws {
    let stores = try TwoStores()
    stores.shop.put("A")
    let user = CartOwner.anyUser()
    let syncer = try syncer(stores)
    try stores.add(user, "A")
    _ = try syncer.drain()
    try stores.redis.run("ZADD", stores.redis.keys.active, "1", stores.key(of: user))
    _ = try stores.schema.rows("DELETE FROM carts")
    _ = try stores.schema.rows("UPDATE sync_lanes SET number = 1")
    _ = try syncer.run(.idle, from: nil, until: .max)
    #expect(try stores.redis.hash(of: user) != nil)
    _ = try syncer.drain()
    _ = try syncer.run(.idle, from: nil, until: .max)
    #expect(try stores.redis.hash(of: user) == nil && stores.store.cart(of: user).cart.lines.count == 1)
  }

  @Test("A cart that can't be persisted is told of, and holds up nobody")
  func refused() throws {
    let stores = try TwoStores()
    stores.shop.put("A")
    let (good, bad) = (CartOwner.anyUser(), CartOwner.anyUser())
    for user in [bad, good] { try stores.add(user, "A") }
    try stores.redis.run("HSET", stores.key(of: bad), "=A", "nonsense")
    #expect(try syncer(stores).drain().refused == [bad])
    try stores.expectEqual(good)
    // What was done is recorded although what came of it can't be read.
    #expect(try stores.archive.changes(of: bad, limit: 10).count == 1)
    try stores.redis.run("HSET", stores.key(of: bad), "=A", "1|1|1|1|main|100|AAAAAAAAAAAAAAAA")
    #expect(try syncer(stores).drain() == Syncer.Remainder())
    #expect(try stores.archive.row(of: bad)?.hash.cart.lines.map(\.born) == [1])
  }

  @Test("The record answers by SKU, time and number, the newest last")
  func changes() throws {
    let stores = try TwoStores()
    stores.shop.put("A", price: 250)
    stores.shop.put("B")
    let user = CartOwner.anyUser()
    try stores.add(user, "A", 2)
    try stores.add(user, "B", data: .replace(Array(#"{"gift":true}"#.utf8)))
    _ = try stores.store.change(ChangeRequest(owner: user, change: .select(false, .all), requestID: "r3"))
    _ = try stores.store.change(ChangeRequest(owner: user, change: .remove(.skus(["A"])), requestID: "r4"))
    _ = try syncer(stores).drain()
    let all = try stores.archive.changes(of: user, limit: 10)
    #expect(all.map(\.version) == [1, 2, 3, 3, 4])
    #expect(all[0].before == nil && all[0].after?.quantity == 2 && all[0].after?.unitPrice?.minorUnits == 250)
    #expect(all[1].after?.clientData == Array(#"{"gift": true}"#.utf8))
    #expect(all[2].before?.isSelected == true && all[2].after?.isSelected == false && all[2].requestID == "r3")
    #expect(all[4].after == nil && all[4].sku == "A")
    #expect(try stores.archive.changes(of: user, limit: 2).map(\.version) == [3, 4])
    #expect(try stores.archive.changes(of: user, sku: "B", limit: 10).map(\.version) == [2, 3])
    #expect(try stores.archive.changes(of: user, since: all[4].at, limit: 10).contains(all[4]))
    #expect(try stores.archive.changes(of: user, since: all[4].at.adding(milliseconds: 1), limit: 10).isEmpty)
    #expect(try stores.archive.changes(of: .anyUser(), limit: 10).isEmpty)
  }

  @Test("A rebuild brings back what is missing, passes over what is there, and goes on behind what can't be read")
  func rebuild() throws {
    let stores = try TwoStores()
    stores.shop.put("A")
    let users = (0..<5).map { _ in CartOwner.anyUser() }
    let guest = CartOwner.anyGuest()
    for owner in users + [guest] { try stores.add(owner, "A") }
    _ = try syncer(stores).drain()
    try stores.redis.removeAll()
    _ = try stores.restorer.restore([users[1]])
    let damage = "UPDATE carts SET lines = '[{\"sku\": 1}]' WHERE owner_id = '\(users[2].id)'"
    try stores.archive.connection.execute(damage, label: "test")
    var last: CartOwner?
    var report = CartRestorer.Report()
    var missing: Set<CartOwner> = []
    while true {
      let owners = try stores.archive.owners(after: last, limit: 4)
      guard let end = owners.last else { break }
      last = end
      missing.formUnion(try stores.restorer.missing(owners))
      report += try stores.restorer.rebuild(owners)
    }
    #expect(try stores.archive.count(after: nil) == 6 && stores.archive.count(after: last) == 0)
    #expect(missing == Set(users + [guest]).subtracting([users[1]]))
    #expect(report.restored == 4 && report.present == 1 && report.refused == [users[2]])
    #expect(try stores.restorer.missing(users + [guest]) == [users[2]])
    #expect(try stores.store.cart(of: users[0]).cart.version == 1_000_000)
  }
}
