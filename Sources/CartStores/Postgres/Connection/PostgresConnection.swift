/// One connection to PostgreSQL: made at the first use and made anew after a loss. It waits no longer than its
/// configuration says, also for a server that hangs.
///
/// Values go out of line, never into the SQL. Between ``begin()`` and ``commit()`` a loss is not mended: the
/// transaction is gone, and its next statement throws.
package final class PostgresConnection {
  package let configuration: PostgresConfiguration
  /// Called when an exchange with PostgreSQL begins (true) and when it has ended.
  package var observeWait: ((_ begins: Bool) -> Void)?
  private var session: PostgresSession?
  private var rest: PostgresDeadline?
  /// A transaction is open, or was when the connection was lost.
  package private(set) var isInTransaction = false

  /// Connects to nothing yet.
  package init(_ configuration: PostgresConfiguration) {
    self.configuration = configuration
  }

  /// Ends the connection; the next use makes a new one.
  package func close() { session = nil }

  /// Runs one statement, prepared at its first use on a connection.
  ///
  /// - Throws: ``PostgresError``; its ``PostgresError/isOutcomeUnknown`` says whether a change outside a transaction
  ///   may have taken effect.
  package func query(
    _ statement: PostgresStatement, _ parameters: [PostgresParameter] = []
  ) throws(PostgresError) -> PostgresResult {
    try use { session throws(PostgresError) in
      do throws(PostgresError) {
        return try session.run(statement, parameters, by: statementDeadline)
      } catch {
        throw statement.waitsForLocks ? error.asLockWait : error
      }
    }
  }

  /// Runs SQL without parameters, several statements of it if need be; answers the last one.
  ///
  /// - Parameter label: names it in errors.
  @discardableResult
  package func execute(_ sql: String, label: String) throws(PostgresError) -> PostgresResult {
    try use { session throws(PostgresError) in
      try session.run(sql, label: label, by: statementDeadline)
    }
  }

  // MARK: Transactions

  /// - Parameter lockTimeout: milliseconds for which the transaction waits for a lock; `nil` for the connection's own.
  package func begin(lockTimeout: Int? = nil) throws(PostgresError) {
    let setting = lockTimeout.map { "; SET LOCAL lock_timeout TO \($0)" } ?? ""
    try execute("BEGIN" + setting, label: "begin")
    isInTransaction = true
  }

  /// - Throws: ``PostgresError``; where ``PostgresError/isOutcomeUnknown``, the transaction may be committed.
  package func commit() throws(PostgresError) {
    guard let session else {
      isInTransaction = false
      throw Self.transactionLost
    }
    // Outside of ``use(_:)``'s rule that an open transaction leaves nothing in doubt.
    isInTransaction = false
    let answer = try use(session) { session throws(PostgresError) in
      try session.run("COMMIT", label: "commit", by: statementDeadline)
    }
    // A transaction with a failed statement "commits" by rolling back.
    if answer.commandTag == "ROLLBACK" { throw PostgresError("PostgreSQL, commit: rolled back") }
  }

  /// Never fails: a connection that can't roll back is closed, and then the server rolls back.
  package func rollback() {
    guard isInTransaction else { return }
    do throws(PostgresError) {
      try execute("ROLLBACK", label: "rollback")
    } catch {
      close()
    }
    isInTransaction = false
  }

  /// Runs `body` in a transaction: commits when it returns, rolls back when it throws.
  package func transaction<Answer>(_ body: () throws(PostgresError) -> Answer) throws(PostgresError) -> Answer {
    try begin()
    let answer: Answer
    do throws(PostgresError) {
      answer = try body()
    } catch {
      rollback()
      throw error
    }
    try commit()
    return answer
  }

  // MARK: The session

  private static let transactionLost = PostgresError(
    "PostgreSQL: the connection was lost in a transaction", isConnectionLost: true)

  private var statementDeadline: PostgresDeadline {
    // The server's own limit comes first: its answer leaves the connection in use.
    PostgresDeadline(in: configuration.statementTimeout + 500)
  }

  private func use<Answer: ~Copyable>(
    _ body: (PostgresSession) throws(PostgresError) -> Answer
  ) throws(PostgresError) -> Answer {
    observeWait?(true)
    defer { observeWait?(false) }
    return try use(ready(), body)
  }

  private func use<Answer: ~Copyable>(
    _ session: PostgresSession, _ body: (PostgresSession) throws(PostgresError) -> Answer
  ) throws(PostgresError) -> Answer {
    do throws(PostgresError) {
      return try body(session)
    } catch {
      if error.isConnectionLost { close() }
      if error.isTimeout, configuration.restsAfterTimeout { startRest() }
      // What an open transaction did is undone with it.
      throw (isInTransaction ? error.withKnownOutcome : error).afterReaching
    }
  }

  private func ready() throws(PostgresError) -> PostgresSession {
    if isInTransaction {
      guard let session else { throw Self.transactionLost }
      return session
    }
    if let rest, !rest.hasPassed {
      throw PostgresError("PostgreSQL: left alone for some seconds after a failure")
    }
    if let session, session.isUsable { return session }
    close()
    do throws(PostgresError) {
      let made = try PostgresSession(connecting: configuration)
      session = made
      rest = nil
      return made
    } catch {
      startRest()
      throw error
    }
  }

  private func startRest() {
    if configuration.restAfterFailure > 0 { rest = PostgresDeadline(in: configuration.restAfterFailure) }
  }
}

@available(*, unavailable)
extension PostgresConnection: Sendable {}
