import CartAPI
import CartDomain
import CartStores
import FastCGIServer
import Glibc

extension StoreGraph {
  /// The stores of a process that serves shoppers.
  convenience init(_ configuration: ServerConfiguration, mode: RedisHistories.Mode = .serving) {
    self.init(
      RedisConnection(configuration.redis), PostgresConnection(configuration.postgres), mode: mode,
      touchLimit: configuration.touchLimit, cancelWithin: configuration.cancelWithin)
  }

  /// Lets `activity` know when a store is waited for.
  func observeWaits(with activity: Activity) {
    redis.observeWait = { $0 ? activity.beginWait(for: .redis) : activity.endWait(for: .redis) }
    postgres.observeWait = { $0 ? activity.beginWait(for: .postgres) : activity.endWait(for: .postgres) }
    restorer.observe = { Metrics.count($0, in: activity) }
    store.observeArchive = { Metrics.count(.fromDatabase, in: activity) }
  }

  /// The system's clock.
  static func now() -> Timestamp {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
  }
}
