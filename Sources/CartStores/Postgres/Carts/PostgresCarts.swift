import CartDomain

/// Carts in PostgreSQL. Every statement that writes a copy is guarded: an older one never replaces a newer one.
/// Each statement stands beside its call, in the extension for its topic.
package final class PostgresCarts {
  package let connection: PostgresConnection
  /// The history of Redis that the database has last refused; whoever goes by it must ask anew.
  var refused: RedisHistory?

  package init(_ connection: PostgresConnection) {
    self.connection = connection
  }

  /// Runs statements as one transaction; it is rolled back when `body` throws.
  ///
  /// - Parameters:
  ///   - lockTimeout: milliseconds; `nil` for the connection's own.
  ///   - uncertain: it may not be done twice: a commit that got no answer throws with
  ///     ``StoreError/isOutcomeUnknown``.
  ///   - keeping: whether what was done on the way to an answer is to stay; else it is rolled back.
  func inTransaction<Answer>(
    lockTimeout: Int? = nil, uncertain: Bool = false, keeping: (Answer) -> Bool = { _ in true },
    _ body: () throws(StoreError) -> Answer
  ) throws(StoreError) -> Answer {
    try translating { () throws(PostgresError) in try connection.begin(lockTimeout: lockTimeout) }
    let answer: Answer
    do throws(StoreError) {
      answer = try body()
    } catch {
      connection.rollback()
      throw error
    }
    if !keeping(answer) {
      connection.rollback()
      return answer
    }
    do throws(PostgresError) {
      try connection.commit()
    } catch {
      throw (uncertain ? error : error.withKnownOutcome).storeError
    }
    return answer
  }

  /// Runs statements in a transaction and takes back what they did.
  func takingBack(_ body: () throws(StoreError) -> Void) throws(StoreError) {
    try translating { () throws(PostgresError) in try connection.begin() }
    defer { connection.rollback() }
    try body()
  }

  /// Everything here may be done twice, so that no outcome is in doubt.
  func run(_ statement: PostgresStatement, _ parameters: [PostgresParameter]) throws(StoreError) -> PostgresResult {
    do throws(PostgresError) {
      return try connection.query(statement, parameters)
    } catch {
      throw error.withKnownOutcome.storeError
    }
  }

  private func translating<Answer>(_ body: () throws(PostgresError) -> Answer) throws(StoreError) -> Answer {
    do throws(PostgresError) {
      return try body()
    } catch {
      throw error.withKnownOutcome.storeError
    }
  }

  static let outdated = PostgresError("PostgreSQL: another history of Redis than this one is in use")
  static let incomplete = PostgresError("PostgreSQL: an answer lacks what was asked for")
}

@available(*, unavailable)
extension PostgresCarts: Sendable {}

/// Owners as two columns.
struct Owners {
  private let kinds: [String]
  private let ids: [String]

  init(_ owners: [CartOwner?]) {
    kinds = owners.map { $0?.kind ?? "" }
    ids = owners.map { $0?.id ?? "" }
  }

  var isEmpty: Bool { kinds.isEmpty }
  var parameters: [PostgresParameter] { [.texts(kinds), .texts(ids)] }
}
