/// A number that the application counts, in all its processes: one sample of the metrics page.
package struct ApplicationMetric: Sendable {
  /// Of all processes together.
  package static let maximumCount = 48

  /// The family, without a prefix: `restores_total`, `sync_lag_seconds`.
  package var family: String
  /// `counter` or `histogram`.
  package var type: String
  package var help: String
  /// Behind the family's name: `_bucket`, `_sum`; empty for a plain counter.
  package var suffix: String
  /// E.g. `le="0.5"`; empty for none.
  package var labels: String
  /// It counts nanoseconds, and is shown in seconds.
  package var isTime: Bool

  package init(
    _ family: String, type: String = "counter", help: String, suffix: String = "", labels: String = "",
    isTime: Bool = false
  ) {
    self.family = family
    self.type = type
    self.help = help
    self.suffix = suffix
    self.labels = labels
    self.isTime = isTime
  }
}
