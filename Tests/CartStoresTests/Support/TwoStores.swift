import CartDomain
import Testing

@testable import CartStores

/// A shop's Redis and PostgreSQL with everything between them, as one worker has it.
final class TwoStores {
  let shop = Shop()
  let schema: PostgresSchema
  let redis: RedisConnection
  let archive: PostgresCarts
  let carts: RedisCarts
  let restorer: CartRestorer
  let persister: CartPersister
  let store: RedisCartStore
  private let catalogue: RedisCatalogue
  private let redisConfiguration: RedisConfiguration

  /// - Parameter configuration: of another Redis than the one that tests share.
  init(_ configuration: RedisConfiguration? = nil, schema: PostgresSchema? = nil) throws {
    self.schema = try schema ?? PostgresSchema()
    redisConfiguration = try configuration ?? RedisTesting.configuration()
    redis = RedisConnection(redisConfiguration)
    archive = PostgresCarts(try self.schema.connection())
    carts = RedisCarts(redis, histories: RedisHistories(redis, archive: archive, .serving))
    restorer = CartRestorer(carts, archive: archive)
    persister = CartPersister(restorer)
    catalogue = RedisCatalogue(connection: redis, source: shop)
    store = RedisCartStore(catalogue: catalogue, archive: archive)
  }

  /// Makes what the shop sells now known to the store.
  func publish() throws { try catalogue.publish() }

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
  func syncer(_ name: String = "syncer", configuration: Syncer.Configuration = Syncer.Configuration()) throws -> Syncer
  {
    Syncer(
      RedisConnection(redisConfiguration), archive: PostgresCarts(try schema.connection(patience: .background)),
      name: name, configuration: configuration)
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
