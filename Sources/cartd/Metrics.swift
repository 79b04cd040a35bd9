import CartStores
import FastCGIServer

/// What carts and their synchronisation are counted by, in every process alike. A case and its row are all that a new
/// counter needs here, and a `Histogram` all that a distribution needs.
enum Metrics {
  enum Counter: Int, CaseIterable {
    case restored, confirmed, persisted, raised, compared, refused, fromDatabase

    fileprivate var metric: ApplicationMetric {
      switch self {
      case .restored: .init("carts_restored_total", help: "Carts brought back from PostgreSQL.")
      case .confirmed:
        .init("carts_confirmed_total", help: "Carts of an older history of Redis that turned out current.")
      case .persisted: .init("carts_persisted_total", help: "Copies of carts written to PostgreSQL.")
      case .raised: .init("carts_fenced_total", help: "Copies refused because a higher epoch was handed out.")
      case .compared: .init("carts_conflicting_total", help: "Carts of which PostgreSQL had a newer copy.")
      case .refused: .init("carts_refused_total", help: "Carts that PostgreSQL does not take; see the quarantine.")
      case .fromDatabase:
        .init("carts_from_database_total", help: "Reads answered by PostgreSQL because Redis was away.")
      }
    }
  }

  /// A distribution of times: how many, their sum, and how many were at most each bound.
  private struct Histogram {
    let name: String
    let help: String
    /// Milliseconds.
    let bounds: [Int64]
    /// Of its first metric in `table`.
    let index: Int

    var end: Int { index + metrics.count }

    var metrics: [ApplicationMetric] {
      [
        ApplicationMetric(name, type: "histogram", help: help, suffix: "_count"),
        ApplicationMetric(name, type: "histogram", help: help, suffix: "_sum", isTime: true),
      ]
        + (bounds.map { Self.seconds($0) } + ["+Inf"]).map { bound in
          ApplicationMetric(name, type: "histogram", help: help, suffix: "_bucket", labels: "le=\"\(bound)\"")
        }
    }

    private static func seconds(_ milliseconds: Int64) -> String {
      milliseconds % 1_000 == 0 ? "\(milliseconds / 1_000)" : "\(Double(milliseconds) / 1_000)"
    }

    func count(_ milliseconds: Int64, in activity: Activity) {
      activity.count(index)
      activity.count(index + 1, Int(milliseconds) * 1_000_000)
      for (offset, bound) in bounds.enumerated() where milliseconds <= bound { activity.count(index + 2 + offset) }
      activity.count(index + 2 + bounds.count)
    }
  }

  private static let lag = Histogram(
    name: "sync_lag_seconds", help: "Time between a change in Redis and the commit of its cart in PostgreSQL.",
    bounds: [50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000], index: Counter.allCases.count)

  private static let turn = Histogram(
    name: "sync_turn_seconds", help: "Time that a syncer's turn takes, without waiting for changes.",
    bounds: [10, 50, 100, 250, 500, 1_000, 5_000], index: lag.end)

  static let table = Counter.allCases.map(\.metric) + lag.metrics + turn.metrics

  static func count(_ counter: Counter, _ number: Int = 1, in activity: Activity) {
    activity.count(counter.rawValue, number)
  }

  static func count(_ report: CartRestorer.Report, in activity: Activity) {
    count(.restored, report.restored, in: activity)
    count(.confirmed, report.confirmed, in: activity)
  }

  static func count(_ report: CartPersister.Report, in activity: Activity) {
    count(.persisted, report.versions.count, in: activity)
    count(.raised, report.raised, in: activity)
    count(.compared, report.compared, in: activity)
    count(.refused, report.refused.count, in: activity)
  }

  static func count(lag milliseconds: Int64, in activity: Activity) { lag.count(milliseconds, in: activity) }

  static func count(turn milliseconds: Int64, in activity: Activity) { turn.count(milliseconds, in: activity) }
}
