import CartStores
import FastCGIServer

/// What carts and their synchronisation are counted by, in every process alike.
enum Metrics {
  /// The upper bounds of the lag's histogram, in milliseconds.
  private static let lagBounds: [Int64] = [50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000]

  /// The upper bounds of a turn's histogram, in milliseconds.
  private static let turnBounds: [Int64] = [10, 50, 100, 250, 500, 1_000, 5_000]

  private enum Index {
    static let restored = 0
    static let confirmed = 1
    static let persisted = 2
    static let raised = 3
    static let compared = 4
    static let refused = 5
    static let fromDatabase = 6
    static let lagCount = 7
    static let turnCount = lagCount + 2 + lagBounds.count + 1
  }

  static let table: [ApplicationMetric] = {
    [
      ApplicationMetric("carts_restored_total", help: "Carts brought back from PostgreSQL."),
      ApplicationMetric("carts_confirmed_total", help: "Carts of an older history of Redis that turned out current."),
      ApplicationMetric("carts_persisted_total", help: "Copies of carts written to PostgreSQL."),
      ApplicationMetric("carts_fenced_total", help: "Copies refused because a higher epoch was handed out."),
      ApplicationMetric("carts_conflicting_total", help: "Carts of which PostgreSQL had a newer copy."),
      ApplicationMetric("carts_refused_total", help: "Carts that PostgreSQL does not take; see the quarantine."),
      ApplicationMetric("carts_from_database_total", help: "Reads answered by PostgreSQL because Redis was away."),
    ]
      + histogram(
        "sync_lag_seconds", "Time between a change in Redis and the commit of its cart in PostgreSQL.", lagBounds)
      + histogram("sync_turn_seconds", "Time that a syncer's turn takes, without waiting for changes.", turnBounds)
  }()

  private static func histogram(_ name: String, _ help: String, _ bounds: [Int64]) -> [ApplicationMetric] {
    [
      ApplicationMetric(name, type: "histogram", help: help, suffix: "_count"),
      ApplicationMetric(name, type: "histogram", help: help, suffix: "_sum", isTime: true),
    ]
      + (bounds.map { seconds($0) } + ["+Inf"]).map { bound in
        ApplicationMetric(name, type: "histogram", help: help, suffix: "_bucket", labels: "le=\"\(bound)\"")
      }
  }

  private static func seconds(_ milliseconds: Int64) -> String {
    milliseconds % 1_000 == 0 ? "\(milliseconds / 1_000)" : "\(Double(milliseconds) / 1_000)"
  }

  static func count(_ report: CartRestorer.Report, in activity: Activity) {
    activity.count(Index.restored, report.restored)
    activity.count(Index.confirmed, report.confirmed)
  }

  static func count(_ report: CartPersister.Report, in activity: Activity) {
    activity.count(Index.persisted, report.versions.count)
    activity.count(Index.raised, report.raised)
    activity.count(Index.compared, report.compared)
    activity.count(Index.refused, report.refused.count)
  }

  static func countFromDatabase(in activity: Activity) { activity.count(Index.fromDatabase) }

  static func count(lag milliseconds: Int64, in activity: Activity) {
    count(milliseconds, lagBounds, from: Index.lagCount, in: activity)
  }

  static func count(turn milliseconds: Int64, in activity: Activity) {
    count(milliseconds, turnBounds, from: Index.turnCount, in: activity)
  }

  private static func count(_ milliseconds: Int64, _ bounds: [Int64], from index: Int, in activity: Activity) {
    activity.count(index)
    activity.count(index + 1, Int(milliseconds) * 1_000_000)
    for (offset, bound) in bounds.enumerated() where milliseconds <= bound { activity.count(index + 2 + offset) }
    activity.count(index + 2 + bounds.count)
  }
}
