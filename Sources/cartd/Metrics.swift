import CartStores
import FastCGIServer

/// What carts and their synchronisation are counted by, in every process alike.
enum Metrics {
  /// The upper bounds of the lag's histogram, in milliseconds.
  private static let lagBounds: [Int64] = [50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000]

  private enum Index {
    static let restored = 0
    static let confirmed = 1
    static let persisted = 2
    static let raised = 3
    static let compared = 4
    static let refused = 5
    static let fromDatabase = 6
    static let lagCount = 7
    static let lagSum = 8
    static let lagBuckets = 9
  }

  static let table: [ApplicationMetric] = {
    let lag = "Time between a change in Redis and its commit in PostgreSQL."
    let family = "sync_lag_seconds"
    return [
      ApplicationMetric("carts_restored_total", help: "Carts brought back from PostgreSQL."),
      ApplicationMetric("carts_confirmed_total", help: "Carts of an older history of Redis that turned out current."),
      ApplicationMetric("carts_persisted_total", help: "Copies of carts written to PostgreSQL."),
      ApplicationMetric("carts_fenced_total", help: "Copies refused because a higher epoch was handed out."),
      ApplicationMetric("carts_conflicting_total", help: "Carts of which PostgreSQL had a newer copy."),
      ApplicationMetric("carts_refused_total", help: "Carts that PostgreSQL does not take; see the quarantine."),
      ApplicationMetric("carts_from_database_total", help: "Reads answered by PostgreSQL because Redis was away."),
      ApplicationMetric(family, type: "histogram", help: lag, suffix: "_count"),
      ApplicationMetric(family, type: "histogram", help: lag, suffix: "_sum", isTime: true),
    ]
      + lagBounds.map { bound in
        ApplicationMetric(
          family, type: "histogram", help: lag, suffix: "_bucket", labels: "le=\"\(seconds(bound))\"")
      } + [ApplicationMetric(family, type: "histogram", help: lag, suffix: "_bucket", labels: "le=\"+Inf\"")]
  }()

  private static func seconds(_ milliseconds: Int64) -> String {
    milliseconds % 1_000 == 0 ? "\(milliseconds / 1_000)" : "\(Double(milliseconds) / 1_000)"
  }

  static func count(_ report: CartRestorer.Report, in activity: Activity) {
    activity.count(Index.restored, report.restored)
    activity.count(Index.confirmed, report.confirmed)
  }

  static func count(_ report: CartSynchronizer.Report, in activity: Activity) {
    activity.count(Index.persisted, report.versions.count)
    activity.count(Index.raised, report.raised)
    activity.count(Index.compared, report.compared)
    activity.count(Index.refused, report.refused.count)
  }

  static func countFromDatabase(in activity: Activity) { activity.count(Index.fromDatabase) }

  static func count(lag milliseconds: Int64, in activity: Activity) {
    activity.count(Index.lagCount)
    activity.count(Index.lagSum, Int(milliseconds) * 1_000_000)
    for (offset, bound) in lagBounds.enumerated() where milliseconds <= bound {
      activity.count(Index.lagBuckets + offset)
    }
    activity.count(Index.lagBuckets + lagBounds.count)
  }
}
