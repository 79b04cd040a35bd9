import CartDomain

/// One history of Redis: it ends with a restart, a promotion, or a return to an older state. A cart of another one is
/// compared with PostgreSQL before it is served.
package struct RedisHistory: Equatable, Sendable {
  /// As ``RedisServer/replicationID``: what a connection must lead to for this history to go on.
  package var replicationID: String
  /// The number under which PostgreSQL has registered it; it grows from history to history.
  package var number: Int64

  package init(replicationID: String, number: Int64) {
    self.replicationID = replicationID
    self.number = number
  }
}
