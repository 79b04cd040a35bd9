import CartDomain
import Testing

@testable import CartStores

/// A shop's Redis and PostgreSQL with everything between them, as one worker has it.
final class TwoStores {
  let shop: Shop
  let schema: PostgresSchema
  /// All that works between the two.
  let graph: StoreGraph
  var redis: RedisConnection { graph.redis }
  var archive: PostgresCarts { graph.archive }
  var carts: RedisCarts { graph.carts }
  var restorer: CartRestorer { graph.restorer }
  var persister: CartPersister { graph.persister }
  var store: RedisCartStore { graph.store }
  private let redisConfiguration: RedisConfiguration

  /// - Parameter configuration: of another Redis than the one that tests share.
  init(
    _ configuration: RedisConfiguration? = nil, schema: PostgresSchema? = nil, shop: Shop = Shop(),
    cachedProducts: Int = 1_024, touchLimit: Int = 0
  ) throws {
    self.shop = shop
    self.schema = try schema ?? PostgresSchema()
    redisConfiguration = try configuration ?? RedisTesting.configuration()
    graph = StoreGraph(
      RedisConnection(redisConfiguration), try self.schema.connection(), source: shop,
      cachedProducts: cachedProducts, touchLimit: touchLimit)
  }

  /// Another worker of the same stores.
  func worker(cachedProducts: Int = 1_024) throws -> TwoStores {
    try TwoStores(redisConfiguration, schema: schema, shop: shop, cachedProducts: cachedProducts)
  }

  /// Another worker's catalogue, which has another source.
  func catalogue(of source: any CatalogueSource) throws -> RedisCatalogue {
    StoreGraph(RedisConnection(redisConfiguration), try schema.connection(), source: source).catalogue
  }

  /// Makes what the shop sells now known to the store.
  func publish() throws { try graph.catalogue.publish() }

  func key(of owner: CartOwner) -> String { redis.keys.cart(of: owner) }

  @discardableResult
  func add(
    _ owner: CartOwner, _ sku: SKU, _ quantity: Int = 1, data: ClientDataEdit = .keep, key: RetryKey? = nil
  ) throws -> ChangeReading {
    try store.change(
      ChangeRequest(
        owner: owner, change: .add([LineAddition(sku: sku, quantity: quantity, clientData: data)]),
        isNewGuest: owner.isGuest, retryKey: key, requestID: "request"))
  }

  /// A syncer of these stores, by other connections and as patient as in production.
  func syncer(
    _ name: String = "syncer", mode: RedisHistories.Mode = .serving,
    configuration: Syncer.Configuration = Syncer.Configuration()
  ) throws -> Syncer {
    let stores = StoreGraph(
      RedisConnection(redisConfiguration), try schema.connection(patience: .background), mode: mode)
    return Syncer(stores, name: name, configuration: configuration)
  }

  func clear(_ owner: CartOwner) throws {
    _ = try store.change(ChangeRequest(owner: owner, change: .remove(.all), isNewGuest: false, requestID: "request"))
  }

  /// What one cart is in both stores: equal, field by field, once it is at rest.
  func expectEqual(_ owner: CartOwner, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let hash = try #require(try redis.hash(of: owner), sourceLocation: sourceLocation)
    var row = try #require(try archive.row(of: owner), sourceLocation: sourceLocation).hash
    #expect(hash.persistedVersion == hash.cart.version, sourceLocation: sourceLocation)
    row.history = hash.history
    row.persistedVersion = hash.persistedVersion
    row.databaseLineage = hash.databaseLineage
    #expect(hash == row, sourceLocation: sourceLocation)
  }
}
