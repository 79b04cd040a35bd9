import CartAPI
import CartDomain
import CartStores
import FastCGIServer
import Glibc

/// The stores of one process, wired: it alone knows them all.
struct Stores {
  let redis: RedisConnection
  let postgres: PostgresConnection
  let catalogue: RedisCatalogue
  let carts: RedisCartStore
  let checkout: Checkout?
  let histories: RedisHistories

  init(_ configuration: ServerConfiguration) {
    redis = RedisConnection(configuration.redis)
    postgres = PostgresConnection(configuration.postgres)
    catalogue = RedisCatalogue(connection: redis, source: PostgresCatalogue(postgres))
    carts = RedisCartStore(
      catalogue: catalogue, archive: PostgresCarts(postgres), touchLimit: configuration.touchLimit)
    histories = carts.histories
    checkout = carts.checkout(cancelWithin: configuration.cancelWithin)
  }

  /// Lets `activity` know when a store is waited for.
  func observeWaits(with activity: Activity) {
    redis.observeWait = { $0 ? activity.beginWait(for: .redis) : activity.endWait(for: .redis) }
    carts.observeRestore = { Metrics.count($0, in: activity) }
    carts.observeArchive = { Metrics.count(.fromDatabase, in: activity) }
    postgres.observeWait = { $0 ? activity.beginWait(for: .postgres) : activity.endWait(for: .postgres) }
  }

  /// The system's clock.
  static func now() -> Timestamp {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
  }
}
