import CartDomain
import Testing

@testable import CartStores

@Suite("The catalogue in Redis", .requiresRedis, .requiresPostgres) struct RedisCatalogueTests {
  private struct Rig {
    let shop = Shop()
    let stores: TwoStores
    var connection: RedisConnection { stores.redis }
    var catalogue: RedisCatalogue { stores.graph.catalogue }

    init() throws { stores = try TwoStores(shop: shop) }

    /// Another worker.
    func worker(capacity: Int = 1_024) throws -> RedisCatalogue {
      try stores.worker(cachedProducts: capacity).graph.catalogue
    }

    /// A catalogue of the same stores with another source.
    func catalogue(of source: any CatalogueSource) throws -> RedisCatalogue { try stores.catalogue(of: source) }
  }

  @Test("PostgreSQL is asked once, then Redis knows, then the worker")
  func levels() throws {
    let rig = try Rig()
    rig.shop.put("A", price: 7)
    #expect(
      try rig.catalogue.products(for: ["A", "none", "A"]).map { $0?.content.unitPrice.minorUnits } == [7, nil, 7])
    #expect(rig.shop.asked == 1)
    #expect(try rig.catalogue.products(for: ["none", "A"]).map { $0 == nil } == [true, false])
    let other = try rig.worker()
    #expect(try other.products(for: ["A"]).first??.content == rig.shop.product("A")?.content)
    #expect(rig.shop.asked == 1)
    #expect(try other.revisions([try #require(rig.shop.product("A")).revision.id]).first??.content.sku == "A")
    #expect(rig.shop.asked == 1)
  }

  @Test("What is published is seen, stock and price, and PostgreSQL is not asked")
  func publishing() throws {
    let rig = try Rig()
    for number in 0..<20 { rig.shop.put(SKU("s\(number)")!, price: 1, stock: 5) }
    #expect(try rig.catalogue.publish() == 20)
    #expect(try rig.catalogue.publish() == 0)
    let worker = try rig.worker()
    #expect(try worker.products(for: ["s3"]).first??.stock == 5)
    rig.shop.setStock(4, of: "s3")
    rig.shop.put("s4", price: 2)
    #expect(try rig.catalogue.publish() == 2)
    // Any answer that carries the new catalogue version will do.
    worker.note(catalogueVersion: try rig.shop.catalogueVersion())
    #expect(try worker.products(for: ["s3"]).first??.stock == 4)
    #expect(try worker.products(for: ["s4"]).first??.content.unitPrice.minorUnits == 2)
    #expect(try worker.products(for: ["s4"]).first??.stock == nil)
    #expect(rig.shop.asked == 0)
  }

  @Test("Without another answer a worker asks for the catalogueVersion when the last is a second old")
  func freshness() throws {
    let rig = try Rig()
    rig.shop.put("A", price: 1)
    try rig.catalogue.publish()
    let worker = try rig.worker()
    #expect(try worker.products(for: ["A"]).first??.content.unitPrice.minorUnits == 1)
    rig.shop.put("A", price: 2)
    try rig.catalogue.publish()
    let start = RedisClock.monotonic
    while try worker.products(for: ["A"]).first??.content.unitPrice.minorUnits != 2 {
      #expect(RedisClock.monotonic - start < 3_000)
      if RedisClock.monotonic - start > 3_000 { return }
    }
    #expect(RedisClock.monotonic - start <= RedisCatalogue.freshness + 1_000)
  }

  @Test("A store whose catalogue is old learns of it with its change, and decides by the new one")
  func outdatedWorker() throws {
    let rig = try Rig()
    rig.shop.put("A", price: 1, stock: 10)
    try rig.catalogue.publish()
    let store = try rig.stores.worker().store
    let user = CartOwner.anyUser()
    func add(_ quantity: Int) throws -> ChangeReading {
      try store.change(
        ChangeRequest(owner: user, change: .add([LineAddition(sku: "A", quantity: quantity)])))
    }
    #expect(try add(1).outcome == .changed)
    rig.shop.put("A", price: 9, stock: 5)
    try rig.catalogue.publish()
    #expect(try add(1).reading.cart["A"]?.unitPrice == 9)
    rig.shop.setStock(2, of: "A")
    try rig.catalogue.publish()
    #expect(
      try add(1).outcome == .refused([Violation(.insufficientStock, sku: "A", requested: 3, available: 2, entry: 0)]))
  }

  @Test("An emptied Redis starts anew from PostgreSQL")
  func emptied() throws {
    let rig = try Rig()
    rig.shop.put("A", price: 1)
    try rig.catalogue.publish()
    let worker = try rig.worker()
    #expect(try worker.products(for: ["A"]).first??.content.unitPrice.minorUnits == 1)
    rig.shop.put("A", price: 2)
    try rig.connection.removeAll()
    worker.note(catalogueVersion: nil)
    #expect(try worker.products(for: ["A"]).first??.content.unitPrice.minorUnits == 2)
    #expect(try rig.connection.run("GET", rig.connection.keys.published) == String(try rig.shop.catalogueVersion()))
    try rig.connection.removeAll()
    #expect(try rig.catalogue.publish() == 1)
    #expect(try rig.connection.run("HLEN", rig.connection.keys.catalogue) == "1")
  }

  @Test("A PostgreSQL put back takes Redis with it")
  func putBack() throws {
    let rig = try Rig()
    rig.shop.put("A", price: 1)
    let old = try #require(rig.shop.product("A"))
    let catalogueVersion = try rig.shop.catalogueVersion()
    rig.shop.put("A", price: 2)
    rig.shop.put("B", price: 3)
    try rig.catalogue.publish()
    let worker = try rig.worker()
    #expect(try worker.products(for: ["A", "B"]).map { $0?.content.unitPrice.minorUnits } == [2, 3])
    rig.shop.putBack(to: catalogueVersion, products: [old])
    try rig.catalogue.publish()
    worker.note(
      catalogueVersion: try rig.connection.run("GET", rig.connection.keys.catalogueVersion).flatMap { Int64($0) })
    #expect(try worker.products(for: ["A", "B"]).map { $0?.content.unitPrice.minorUnits } == [1, nil])
  }

  @Test("An older publisher that comes late does not overwrite a newer one")
  func latePublisher() throws {
    let rig = try Rig()
    rig.shop.put("A", price: 1)
    try rig.catalogue.publish()
    let slow = InterruptedSource(rig.shop)
    rig.shop.put("A", price: 2)
    slow.beforeBatch = {
      rig.shop.put("A", price: 3)
      try rig.catalogue.publish()
    }
    let publisher = try rig.catalogue(of: slow)
    try publisher.publish()
    #expect(try rig.worker().products(for: ["A"]).first??.content.unitPrice.minorUnits == 3)
    let catalogueVersion = try rig.connection.run("GET", rig.connection.keys.published)
    #expect(catalogueVersion == String(try rig.shop.catalogueVersion()))
  }

  @Test("A publisher that comes after a newer one leaves gaps alone")
  func publisherAfterNewer() throws {
    let rig = try Rig()
    rig.shop.put("A", price: 1)
    let slow = InterruptedSource(rig.shop)
    slow.beforeBatch = {
      rig.shop.put("A", price: 2)
      try rig.connection.removeAll()
      _ = try rig.worker().products(for: ["none"])
    }
    try rig.catalogue(of: slow).publish()
    #expect(try rig.worker().products(for: ["A"]).first??.content.unitPrice.minorUnits == 2)
  }

  @Test("What was asked before a publication is not kept after it")
  func lateFill() throws {
    let rig = try Rig()
    rig.shop.put("A", price: 1)
    try rig.catalogue.publish()
    try rig.connection.run("HDEL", rig.connection.keys.catalogue, "A")
    let slow = InterruptedSource(rig.shop)
    slow.afterProducts = {
      rig.shop.put("A", price: 2)
      try rig.catalogue.publish()
      try rig.connection.run("HDEL", rig.connection.keys.catalogue, "A")
    }
    let worker = try rig.catalogue(of: slow)
    _ = try worker.products(for: ["A"])
    #expect(try rig.connection.run("HGET", rig.connection.keys.catalogue, "A") == nil)
    #expect(try rig.worker().products(for: ["A"]).first??.content.unitPrice.minorUnits == 2)
  }

  @Test("A cart that is larger than the worker's memory is shown whole")
  func smallMemory() throws {
    let rig = try Rig()
    let skus = (0..<50).map { SKU("s\($0)")! }
    for (number, sku) in skus.enumerated() { rig.shop.put(sku, price: Int64(number)) }
    try rig.catalogue.publish()
    let worker = try rig.worker(capacity: 4)
    for _ in 0..<2 {
      #expect(try worker.products(for: skus).map { $0?.content.unitPrice.minorUnits } == (0..<50).map { Int64($0) })
    }
    #expect(try worker.revisions(skus.map { rig.shop.product($0)!.revision.id }).allSatisfy { $0 != nil })
    #expect(rig.shop.asked == 0)
  }

  @Test(
    "Garbage in the second level is asked of PostgreSQL",
    arguments: [
      "", "|", "rev_000000000001", "rev_000000000001|x|1", "rev_000000000001|99999999999999999999|1", "é|1|1",
    ])
  func garbage(_ entry: String) throws {
    let rig = try Rig()
    rig.shop.put("A", price: 5)
    try rig.catalogue.publish()
    try rig.connection.run("HSET", rig.connection.keys.catalogue, "A", entry)
    #expect(try rig.worker().products(for: ["A"]).first??.content.unitPrice.minorUnits == 5)
    try rig.connection.run("DEL", rig.connection.keys.catalogue)
    let id = try #require(rig.shop.product("A")).revision.id
    try rig.connection.run("HSET", rig.connection.keys.catalogue, "A", "\(id.text)||1")
    try rig.connection.run("HSET", rig.connection.keys.revisions, id.text, entry)
    #expect(try rig.worker().products(for: ["A"]).first??.content.unitPrice.minorUnits == 5)
    // It was mended on the way.
    let asked = rig.shop.asked
    #expect(try rig.worker().products(for: ["A"]).first??.content.unitPrice.minorUnits == 5)
    #expect(rig.shop.asked == asked)
  }
}

/// A source between whose answers something happens.
private final class InterruptedSource: CatalogueSource {
  private let shop: Shop
  var beforeBatch: () throws -> Void = {}
  var afterProducts: () throws -> Void = {}

  init(_ shop: Shop) { self.shop = shop }

  func products(for skus: [SKU]) throws(StoreError) -> [Product?] {
    let products = try shop.products(for: skus)
    try interrupted(afterProducts)
    return products
  }

  func revisions(_ ids: [RevisionID]) throws(StoreError) -> [ProductRevision?] { try shop.revisions(ids) }

  func catalogueVersion() throws(StoreError) -> Int64 { try shop.catalogueVersion() }

  func changed(after place: CataloguePlace) throws(StoreError) -> (products: [Product], next: CataloguePlace?) {
    let page = try shop.changed(after: place)
    if !page.products.isEmpty { try interrupted(beforeBatch) }
    return page
  }

  private func interrupted(_ body: () throws -> Void) throws(StoreError) {
    do { try body() } catch { throw StoreError(.unavailable, "\(error)") }
  }
}
