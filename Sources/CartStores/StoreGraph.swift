/// Both stores of one process and all that works between them, wired once: the workers, the syncer, `cartctl` and the
/// tests use the same. Nothing is connected before it is used.
package final class StoreGraph {
  package let redis: RedisConnection
  package let postgres: PostgresConnection
  /// The carts that PostgreSQL keeps.
  package let archive: PostgresCarts
  /// Know whether this Redis may be used.
  package let histories: RedisHistories
  /// What was done to carts and is not recorded yet.
  package let log: any ChangeLog
  package let catalogue: RedisCatalogue
  package let restorer: CartRestorer
  package let persister: CartPersister
  package let merger: CartMerger
  package let checkout: Checkout
  /// What shoppers' requests are answered from.
  package let store: RedisCartStore

  /// The carts in Redis, for those that know in which history it is.
  var carts: RedisCarts { restorer.carts }

  /// - Parameters:
  ///   - mode: whether it may register a Redis, as a part of cartd does.
  ///   - source: what is sold; `nil`: what PostgreSQL has.
  ///   - cachedProducts: how many products, and how many revisions, stay in memory.
  ///   - touchLimit: lines of a cart that its changes of more than 100 lines may touch in a minute; 0: any number.
  ///   - cancelWithin: seconds for which a shopper may cancel an order.
  package init(
    _ redis: RedisConnection, _ postgres: PostgresConnection, mode: RedisHistories.Mode = .serving,
    source: (any CatalogueSource)? = nil, cachedProducts: Int = 1_024, touchLimit: Int = 0, cancelWithin: Int = 0
  ) {
    self.redis = redis
    self.postgres = postgres
    archive = PostgresCarts(postgres)
    histories = RedisHistories(redis, archive: archive, mode)
    log = ChangeStream(redis)
    catalogue = RedisCatalogue(histories, source: source ?? PostgresCatalogue(postgres), capacity: cachedProducts)
    restorer = CartRestorer(RedisCarts(redis, histories: histories), archive: archive)
    persister = CartPersister(restorer)
    merger = CartMerger(restorer, persister: persister, catalogue: catalogue)
    checkout = Checkout(
      restorer, persister: persister, merger: merger, catalogue: catalogue, cancelWithin: cancelWithin)
    store = RedisCartStore(persister: persister, merger: merger, catalogue: catalogue, touchLimit: touchLimit)
  }
}

@available(*, unavailable)
extension StoreGraph: Sendable {}
