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
  let synchronizer: CartSynchronizer
  let store: RedisCartStore
  private let catalogue: RedisCatalogue

  /// - Parameter configuration: of another Redis than the one that tests share.
  init(_ configuration: RedisConfiguration? = nil, schema: PostgresSchema? = nil) throws {
    self.schema = try schema ?? PostgresSchema()
    redis = RedisConnection(try configuration ?? RedisTesting.configuration())
    archive = PostgresCarts(try self.schema.connection())
    carts = RedisCarts(redis, histories: RedisHistories(redis, archive: archive, .serving))
    restorer = CartRestorer(carts, archive: archive)
    synchronizer = CartSynchronizer(restorer)
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

  /// For how many milliseconds the first entry of the stream that somebody has taken was with him.
  func pendingIdle() throws -> Int {
    let replies = try redis.exchange(
      RedisCommand("XPENDING", redis.keys.stream, ChangeStream.group, "-", "+", "1"), .reading)
    return try replies.read(0) { list throws(StoreError) in
      try list.element(0) { entry throws(StoreError) in
        Int(try entry.element(2) { value in value.integer } ?? 0)
      }
    }
  }

  func clear(_ owner: CartOwner) throws {
    _ = try store.change(ChangeRequest(owner: owner, change: .remove(.all), isNewGuest: false, requestID: "request"))
  }

  /// What one cart is in both stores: equal, field by field, once it is at rest.
  func expectEqual(_ owner: CartOwner, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let hash = try #require(try redis.hash(of: owner), sourceLocation: sourceLocation)
    var row = try #require(try archive.row(of: owner), sourceLocation: sourceLocation).hash
    #expect(hash.persistedVersion == hash.cart.version, sourceLocation: sourceLocation)
    row.lineage = hash.lineage
    row.persistedVersion = hash.persistedVersion
    row.databaseLineage = hash.databaseLineage
    #expect(hash == row, sourceLocation: sourceLocation)
  }
}
