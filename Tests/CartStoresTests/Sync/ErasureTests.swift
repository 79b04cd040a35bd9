import CartDomain
import Testing

@testable import CartStores

@Suite("Forgetting carts", .requiresRedis, .requiresPostgres)
struct ErasureTests {
  private func erase(_ owner: CartOwner, _ stores: TwoStores) throws -> CartEraser.Report {
    try CartEraser(stores.graph).erase(owner)
  }

  @Test("A forgotten cart is in neither store, and what waited of it is not recorded")
  func everywhere() throws {
    let stores = try TwoStores()
    stores.shop.put("A")
    let (user, other) = (CartOwner.anyUser(), CartOwner.anyUser())
    try stores.add(user, "A")
    let syncer = Syncer(stores.graph, name: "one")
    _ = try syncer.drain()
    try stores.add(user, "A")
    try stores.add(other, "A")
    let report = try erase(user, stores)
    #expect(report.wasInRedis && report.wasInPostgres && report.changes == 1 && report.waiting == 1)
    #expect(try syncer.drain() == Syncer.Remainder())
    #expect(try stores.redis.hash(of: user) == nil)
    #expect(try stores.archive.row(of: user)?.hash.cart.version == 0)
    #expect(try stores.archive.changes(of: user, limit: 10).isEmpty)
    #expect(try stores.archive.changes(of: other, limit: 10).count == 1)
    #expect(try erase(.anyUser(), stores) == CartEraser.Report())
  }

  @Test("A copy that a syncer has read before comes too late; the shopper begins anew")
  func fenced() throws {
    let stores = try TwoStores()
    stores.shop.put("A")
    let user = CartOwner.anyUser()
    try stores.add(user, "A")
    _ = try stores.persister.sync(user)
    try stores.add(user, "A")
    let history = try stores.carts.histories.current()
    guard case .current(let copy, let usedAt) = try stores.carts.read([user], in: history)[0] else {
      Issue.record("no cart")
      return
    }
    _ = try erase(user, stores)
    #expect(try stores.archive.write([(copy, usedAt)]).outcomes == [.outranked])
    #expect(try stores.archive.row(of: user)?.hash.cart.lines.isEmpty == true)
    #expect(try stores.store.cart(of: user).cart.lines.isEmpty)
    #expect(try stores.add(user, "A").reading.cart.version == 1)
    #expect(try stores.persister.sync(user) == 1)
    try stores.expectEqual(user)
  }

  @Test("A restorer that began before does not bring it back into Redis")
  func restorer() throws {
    let stores = try TwoStores()
    stores.shop.put("A")
    let user = CartOwner.anyUser()
    try stores.add(user, "A")
    _ = try stores.persister.sync(user)
    try stores.redis.removeAll()
    let history = try stores.carts.histories.current()
    _ = try stores.carts.leaseRestore([user], token: "slow", in: history)
    let claim = try #require(try stores.archive.claim([(user, nil)], in: history)[user])
    _ = try erase(user, stores)
    var hash = claim.row.hash
    hash.history = history.number
    hash.epoch = claim.epoch
    let late = RedisCarts.Installation(hash: hash, usedAt: stores.redis.now)
    #expect(try stores.carts.install([late], token: "slow", in: history) == [.lost])
    #expect(try stores.store.cart(of: user).cart.lines.isEmpty)
  }

  @Test("A guest's id is spent; the rows go a day later")
  func guests() throws {
    let stores = try TwoStores()
    stores.shop.put("A")
    let (guest, user) = (CartOwner.anyGuest(), CartOwner.anyUser())
    try stores.add(guest, "A")
    try stores.add(user, "A")
    _ = try stores.persister.sync([guest, user])
    _ = try erase(guest, stores)
    _ = try erase(user, stores)
    #expect(try stores.store.cart(of: guest).isGone)
    #expect(try stores.archive.sweep(after: nil, limit: 10).removed == 0)
    try stores.archive.connection.execute(
      "UPDATE carts SET updated_at = updated_at - interval '2 days', expires_at = expires_at - interval '2 days'",
      label: "test")
    _ = try Syncer(stores.graph, name: "one").drain()
    #expect(try stores.schema.rows("SELECT count(*) FROM carts") == [["0"]])
  }
}
