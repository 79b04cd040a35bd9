internal import CPostgres
package import CartDomain

/// A statement or a connection failed. The description holds no argument of a statement and no password.
package struct PostgresError: Error, Sendable, CustomStringConvertible {
  /// The server's code (PostgreSQL manual, appendix A), five characters; `nil` where there was no answer.
  package let sqlState: String?
  /// Where and why, for the log.
  package let message: String
  /// The connection is gone; the next use makes a new one.
  package let isConnectionLost: Bool
  /// It took too long, here or there.
  package let isTimeout: Bool
  /// The statement was sent and may have taken effect.
  package let isOutcomeUnknown: Bool
  /// There was a connection: it failed at this statement, and another one may succeed.
  package private(set) var wasReached = false

  package init(
    _ message: String, sqlState: String? = nil, isConnectionLost: Bool = false, isTimeout: Bool = false,
    isOutcomeUnknown: Bool = false
  ) {
    self.message = message
    self.sqlState = sqlState
    self.isConnectionLost = isConnectionLost
    self.isTimeout = isTimeout
    self.isOutcomeUnknown = isOutcomeUnknown
  }

  package var description: String { message }

  /// What the ports of the domain throw.
  package var storeError: StoreError {
    StoreError(
      isAboutData ? .corrupt : isAboutOthers ? .overloaded : .unavailable, message, isOutcomeUnknown: isOutcomeUnknown,
      wasReached: wasReached)
  }

  /// The server has something against a value, not against the moment: a data exception, a broken constraint, a limit.
  private var isAboutData: Bool { ["22", "23", "54"].contains(sqlState?.prefix(2)) }

  /// Another transaction was in the way: a conflict, a deadlock, a lock that was not had in time.
  private var isAboutOthers: Bool { ["40001", "40P01", "55P03"].contains(sqlState) }
}

extension PostgresError {
  /// From an answer that is an error.
  ///
  /// The server's own message is passed on only for classes that can't quote a value: a data exception or a broken
  /// constraint would show what a shopper sent.
  init(answer: borrowing PostgresResult, to label: String) {
    let state = answer.errorField(PostgresResult.sqlStateField)
    var text = "PostgreSQL, \(label): SQLSTATE \(state ?? "unknown")"
    switch state?.prefix(2) {
    case "22", "23", "P0", nil:
      if let constraint = answer.errorField(PostgresResult.constraintField) { text += ", constraint \(constraint)" }
    default:
      if let message = answer.errorField(PostgresResult.messageField) { text += ", \(message)" }
      // A table or a function is not there.
      if state == "42P01" || state == "42883" { text += "; has `cartctl migrate` been run?" }
    }
    self.init(
      text, sqlState: state, isConnectionLost: false,
      isTimeout: state == "57014")
  }

  /// The same, where nothing can have taken effect.
  var withKnownOutcome: PostgresError {
    var error = PostgresError(message, sqlState: sqlState, isConnectionLost: isConnectionLost, isTimeout: isTimeout)
    error.wasReached = wasReached
    return error
  }

  /// The same, of a statement that was sent.
  var afterReaching: PostgresError {
    var error = self
    error.wasReached = true
    return error
  }

  /// The same of a statement that waits for many locks: that it took too long (57014) is said as that it had not all of
  /// them in time (55P03).
  var asLockWait: PostgresError {
    guard sqlState == "57014", !isConnectionLost else { return self }
    return PostgresError(message, sqlState: "55P03", isOutcomeUnknown: isOutcomeUnknown)
  }

  /// The same, where the connection ended with it.
  var withLostConnection: PostgresError {
    PostgresError(message, sqlState: sqlState, isConnectionLost: true, isTimeout: isTimeout, isOutcomeUnknown: true)
  }
}
