import CartDomain

/// What syncers do from time to time. Each call does a part of it, in about ``budget``, and says where to go on; changes
/// come between any two calls.
enum PeriodicTask: String, CaseIterable {
  /// Tells workers if Redis's memory runs out.
  case memory
  /// Puts every cart on the list of dirty ones, because the database has gone back.
  case marking
  /// Publishes changes of the catalogue that nobody has published.
  case catalogue
  /// Applies stock that an import has left, and publishes stock that has moved, whose senders have died.
  case stock
  /// Delivers commands whose senders have died.
  case commands
  /// Ends merges whose beginners have died.
  case merges
  /// Looks whether every cart that was used lately is persisted.
  case active
  /// Lets go of carts that were not used for long.
  case idle
  /// Makes the months of the record to come, and drops the old ones.
  case months
  /// Removes rows of carts that are over.
  case sweep
  /// Removes merges and keys of orders that nobody can ask for any more.
  case retention
  /// Removes revisions from Redis that neither a product nor a cart there shows.
  case revisions

  /// Milliseconds from its end to its next beginning.
  var interval: Int64 {
    switch self {
    case .memory, .marking, .stock, .commands, .merges: 2_000
    case .catalogue: 5_000
    case .months: 60_000
    case .active, .retention: 3_600_000
    case .sweep: 6 * 3_600_000
    case .idle, .revisions: 24 * 3_600_000
    }
  }

  /// The longest time for which it is put off, in milliseconds: to its next beginning or after failures.
  var longestWait: Int64 { max(interval, Self.longestPause) }

  /// Milliseconds until it goes on, if it is not through.
  var pauseBetweenSteps: Int64 {
    switch self {
    // A pass over millions of rows takes hours, and no more of the database than this.
    case .sweep: 500
    default: 0
    }
  }

  /// Milliseconds that one call takes, about.
  static let budget: Int64 = 100
  /// After a failure it is tried again after so long, and then after twice as long each time, in milliseconds.
  static let firstPause: Int64 = 1_000
  static let longestPause: Int64 = 600_000
}
