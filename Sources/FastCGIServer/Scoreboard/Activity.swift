/// Through which the application reports for which store the request in hand waits, and counts. One for each process,
/// given to `Worker.Configuration` or `BackgroundChild`.
package final class Activity {
  package enum Store: Int, Sendable {
    case redis, postgres

    fileprivate var stage: Stage { self == .redis ? .redis : .postgres }
  }

  /// Nanoseconds that the request in hand waited for each store.
  private(set) var waited: InlineArray<2, Int64> = [0, 0]
  private var since = Instant(nanoseconds: 0)
  private var page: ScoreboardPage?
  private var view: PoolView?

  private let metrics: [ApplicationMetric]

  /// - Parameter metrics: what the application counts; the same in all its processes.
  package init(metrics: [ApplicationMetric] = []) {
    precondition(metrics.count <= ApplicationMetric.maximumCount)
    self.metrics = metrics
  }

  /// Counts for the metric at `index`.
  package func count(_ index: Int, _ number: Int = 1) {
    precondition(metrics.indices.contains(index))
    page?.add(ScoreboardLayout.application + Int32(index), UInt64(clamping: number))
  }

  func attach(_ scoreboard: ChildScoreboard, pool: consuming Descriptor?, routes: [String]) {
    page = scoreboard.page
    view = PoolView(scoreboard: scoreboard.shared, pool: pool, routes: routes, metrics: metrics)
  }

  /// The pool as it is now; nil before the worker runs.
  package func poolStatus() -> PoolStatus? { view?.status() }

  /// A wait for a store begins. Waits do not lie within each other.
  package func beginWait(for store: Store) {
    since = System.now()
    page?.set(ScoreboardLayout.stage, store.stage.rawValue)
  }

  package func endWait(for store: Store) {
    waited[store.rawValue] &+= max(0, System.now().nanoseconds &- since.nanoseconds)
    page?.set(ScoreboardLayout.stage, Stage.application.rawValue)
  }

  func reset() { waited = [0, 0] }
}

@available(*, unavailable)
extension Activity: Sendable {}
