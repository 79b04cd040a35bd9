import CartAPI
import CartDomain
import CartStores
import FastCGIServer

/// What `/ops` is answered from: the scoreboard, and a look at the stores.
final class PoolOperations: Operations {
  private let activity: Activity
  private let stores: StoreGraph
  private var last: (moment: ContinuousClock.Instant, readiness: Readiness)?

  /// Whoever asks whether the stores answer does not wait as long as a shopper, and does not ask for each question.
  private static let patienceMilliseconds = 500
  private static let staysTrue = Duration.seconds(1)

  init(_ configuration: ServerConfiguration, activity: Activity) {
    self.activity = activity
    var redis = configuration.redis
    redis.timeoutMilliseconds = Int64(Self.patienceMilliseconds)
    var postgres = configuration.postgres
    postgres.connectTimeout = Self.patienceMilliseconds
    postgres.statementTimeout = Self.patienceMilliseconds
    postgres.restAfterFailure = 0
    stores = StoreGraph(RedisConnection(redis), PostgresConnection(postgres))
  }

  func readiness() -> Readiness {
    let now = ContinuousClock.now
    if let last, now - last.moment < Self.staysTrue { return last.readiness }
    var readiness = Readiness(
      redis: false, postgres: (try? stores.postgres.execute("SELECT 1", label: "ready")) != nil, isServed: false)
    do throws(StoreError) {
      try stores.redis.ping()
      readiness.redis = true
      try stores.histories.check()
      readiness.isServed = true
      try stores.histories.tryWriting(withPostgres: readiness.postgres)
    } catch {
      readiness.refusal = error.message
    }
    last = (ContinuousClock.now, readiness)
    return readiness
  }

  func statusJSON() -> [UInt8]? { activity.poolStatus()?.json }
  func statusPage() -> [UInt8]? { activity.poolStatus()?.page(title: "cartd") }
  func metrics() -> [UInt8]? {
    guard let pool = activity.poolStatus()?.metrics(prefix: "cartd_") else { return nil }
    guard let state = try? SyncState(of: stores.redis) else { return pool }
    var text = MetricsText(prefix: "cartd_")
    for (name, help, value) in [
      ("sync_stream_length", "Changes that PostgreSQL has not.", state.waiting),
      ("sync_dirty_carts", "Carts with changes that PostgreSQL has not.", state.dirty),
      ("sync_oldest_dirty_seconds", "Age of the oldest of them.", Int(state.lag / 1_000)),
      ("sync_quarantined_carts", "Carts that PostgreSQL refuses.", state.quarantined),
      ("sync_aside_carts", "Carts of which changes were set aside because they can't be recorded.", state.aside),
    ] { text.gauge(name, help, value) }
    return pool + text.bytes
  }
}

@available(*, unavailable)
extension PoolOperations: Sendable {}
