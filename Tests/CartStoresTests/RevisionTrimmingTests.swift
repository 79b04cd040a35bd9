import CartDomain
import Testing

@testable import CartStores

@Suite("Revisions that nobody shows", .requiresRedis, .requiresPostgres) struct RevisionTrimmingTests {
  private let stores: TwoStores
  private var shop: Shop { stores.shop }
  private var connection: RedisConnection { stores.redis }
  private var catalogue: RedisCatalogue { stores.graph.catalogue }
  private var store: RedisCartStore { stores.store }
  private let user = CartOwner.anyUser()

  init() throws { stores = try TwoStores() }

  private func sell(_ prices: ClosedRange<Int64>, products: Int) throws {
    for price in prices {
      for number in 0..<products { shop.put(SKU("s\(number)")!, price: price) }
      try catalogue.publish()
    }
  }

  private func add(_ sku: SKU, to owner: CartOwner) throws {
    let request = ChangeRequest(
      owner: owner, change: .add([LineAddition(sku: sku, quantity: 1)]), isNewGuest: owner.isGuest)
    #expect(try store.change(request).outcome == .changed)
  }

  private func id(_ sku: SKU) throws -> RevisionID { try #require(shop.product(sku)).revision.id }

  private func kept() throws -> Set<String> {
    Set(try connection.list("HKEYS", connection.keys.revisions).compactMap { $0 })
  }

  /// To the end, one step with each call.
  private func trim(meanwhile: (String) throws -> Void = { _ in }) throws {
    var place = try catalogue.trimRevisions(from: nil, until: 0)
    while let stopped = place {
      try meanwhile(stopped)
      place = try catalogue.trimRevisions(from: stopped, until: 0)
    }
  }

  @Test("What carts in Redis and products show stays, the rest goes, also where there is much of it")
  func trimming() throws {
    try sell(1...1, products: 700)
    let guest = CartOwner.anyGuest()
    for number in 0..<3 { try add(SKU("s\(number)")!, to: user) }
    for number in 2..<5 { try add(SKU("s\(number)")!, to: guest) }
    var shown = try Set((0..<5).map { try id(SKU("s\($0)")!).text })
    for _ in 0..<300 { try add("s9", to: .anyUser()) }
    shown.insert(try id("s9").text)
    try sell(2...4, products: 700)
    #expect(try kept().count == 4 * 700)
    shown.formUnion(try (0..<700).map { try id(SKU("s\($0)")!).text })
    // What is no cart, and no revision, is left alone and stops nothing.
    try connection.run("SET", connection.keys.prefix + "cart:user:stray", "text")
    try connection.run("HSET", connection.keys.revisions, "of-another-version", "9:what")
    var steps = 0
    try trim { _ in steps += 1 }
    #expect(steps > 20)
    #expect(try kept() == shown.union(["of-another-version"]))
    #expect(try connection.run("EXISTS", connection.keys.unshown) == "0")
    try connection.run("DEL", connection.keys.prefix + "cart:user:stray")
    // Once the cart is gone, or has taken the new price, its revisions go as well; and there is nothing left to do.
    _ = try store.change(ChangeRequest(owner: user, change: .remove(.all)))
    #expect(try catalogue.trimRevisions(from: nil, until: RedisClock.monotonic + 10_000) == nil)
    #expect(try kept().count == shown.count + 1 - 2)
    #expect(try catalogue.trimRevisions(from: nil, until: 0)?.hasPrefix("noting") ?? true)
    try connection.removeAll()
  }

  @Test("A price that comes back meanwhile stays, and so does what a cart takes up again")
  func meanwhile() throws {
    try sell(1...1, products: 3)
    let former = try #require(shop.product("s1"))
    try sell(2...2, products: 3)
    try trim { place in
      guard place.hasPrefix("removing"), shop.product("s1")?.revision.id != former.revision.id else { return }
      shop.put(former)
      try catalogue.publish()
      try add("s1", to: user)
    }
    let sold = try Set(["s0", "s1", "s2"].map { try id($0).text })
    // The price in between was current when the others were noted.
    #expect(try kept().isStrictSuperset(of: sold))
    try trim()
    #expect(try kept() == sold)
    #expect(try store.cart(of: user).cart["s1"]?.revision == former.revision.id)
    try connection.removeAll()
  }

  @Test("A removal too many costs a query: the revision is put back")
  func oneTooMany() throws {
    try sell(1...1, products: 1)
    try add("s0", to: user)
    let id = try id("s0")
    try connection.run("HDEL", connection.keys.revisions, id.text)
    let worker = try stores.worker().graph.catalogue
    #expect(try worker.revisions([id]).first??.content.unitPrice.minorUnits == 1)
    #expect(try kept() == [id.text])
    try connection.removeAll()
  }

  @Test("Whoever begins anew does not take up what another has noted", arguments: [nil, "", "reading", "reading 0 x"])
  func beginning(_ place: String?) throws {
    try sell(1...1, products: 1)
    try connection.run("ZADD", connection.keys.unshown, "0", try id("s0").text)
    #expect(try catalogue.trimRevisions(from: place, until: RedisClock.monotonic + 10_000) == nil)
    #expect(try kept().count == 1)
    try connection.removeAll()
  }
}
