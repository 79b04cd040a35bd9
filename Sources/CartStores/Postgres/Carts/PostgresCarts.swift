package import CartDomain

/// Carts in PostgreSQL. Every statement that writes a copy is guarded: an older one never replaces a newer one.
package final class PostgresCarts {
  package let connection: PostgresConnection
  /// The history of Redis that the database has last refused; whoever goes by it must ask anew.
  var refused: RedisHistory?

  package init(_ connection: PostgresConnection) {
    self.connection = connection
  }

  /// The place of this database in time; see ``DatabaseLineage``.
  package func lineage() throws(StoreError) -> DatabaseLineage {
    let rows = try run(Self.lineage, [])
    guard let tag = rows.text(0, 0), let number = rows.integer(0, 1) else { throw Self.incomplete.storeError }
    return DatabaseLineage(tag: tag, number: number)
  }

  // MARK: Reading

  /// The copy of one cart, or `nil`; nothing is claimed by it.
  package func row(of owner: CartOwner) throws(StoreError) -> CartRow? {
    let rows = try run(Self.row, [.text(owner.kind), .text(owner.id)])
    return rows.rowCount == 0 ? nil : try CartRow(rows, 0)
  }

  /// What the database commands a cart after the command numbered `number`, in order.
  package func commands(for owner: CartOwner, after number: Int64) throws(StoreError) -> [InboxCommand] {
    let rows = try run(Self.commands, [.text(owner.kind), .text(owner.id), .integer(number)])
    var commands: [InboxCommand] = []
    for row in 0..<rows.rowCount { commands.append(try InboxCommand(rows, row)) }
    return commands
  }

  /// The owners of commands that have waited for `milliseconds` or more.
  ///
  /// - Parameters:
  ///   - moment: microseconds since 1970; only commands that were given after it.
  ///   - limit: of commands.
  /// - Returns: the owners, each once, and the moment from which to go on; `nil` when there are no more.
  func ownersWithCommands(
    olderThan milliseconds: Int, after moment: Int64, limit: Int
  ) throws(StoreError) -> (owners: [CartOwner], next: Int64?) {
    let rows = try run(Self.waiting, [.integer(milliseconds), .integer(moment), .integer(limit)])
    var owners: [CartOwner] = []
    var met: Set<CartOwner> = []
    for owner in Self.owners(rows) where met.insert(owner).inserted { owners.append(owner) }
    return (owners, rows.rowCount < limit ? nil : rows.integer(rows.rowCount - 1, 2))
  }

  /// The owners of all copies that may be served, in the order of their keys, from the one after `last`.
  package func owners(after last: CartOwner?, limit: Int) throws(StoreError) -> [CartOwner] {
    Self.owners(try run(Self.page, [.text(last?.kind ?? ""), .text(last?.id ?? ""), .integer(limit)]))
  }

  /// How many owners ``owners(after:limit:)`` gives in all.
  package func count(after last: CartOwner?) throws(StoreError) -> Int {
    Int(try run(Self.pageCount, [.text(last?.kind ?? ""), .text(last?.id ?? "")]).integer(0, 0) ?? 0)
  }

  private static func owners(_ rows: borrowing PostgresResult) -> [CartOwner] {
    (0..<rows.rowCount).compactMap { CartOwner(kind: rows.text($0, 0) ?? "", id: rows.text($0, 1) ?? "") }
  }

  // MARK: Claiming

  /// A cart of which the restorer has taken hold: from here on no copy of an older epoch gets into the database.
  package struct Claim {
    /// The row as it was.
    package var row: CartRow
    /// The epoch that the restored cart is to have.
    package var epoch: Int64
    /// The version with which the cart is to go on if a later one than the copies have may have been given, and lost; `nil`
    /// where none was.
    package var skip: Int64?
  }

  /// Takes hold of carts: raises their epochs above all that there were. A version to which one skips is noted, so that it
  /// is a later one if Redis loses the cart again before it is persisted. The copy's own place stays: who takes hold of a
  /// cart may not come to put it back.
  ///
  /// - Parameters:
  ///   - owners: with the epoch and version of the copy that Redis has, `nil` where it has none: a cart that neither
  ///     store has is not claimed.
  ///   - strays: those whose copy is of another history of Redis: it may be older than what was answered.
  ///   - history: the number of the history that the caller serves.
  /// - Throws: ``StoreError`` also where a newer history of Redis is registered.
  package func claim(
    _ owners: [(owner: CartOwner, place: (epoch: Int64, version: Int64)?)], strays: Set<CartOwner> = [],
    in history: RedisHistory
  ) throws(StoreError) -> [CartOwner: Claim] {
    let all = Owners(owners.map(\.owner))
    return try inTransaction(lockTimeout: connection.configuration.rowLockTimeout) { () throws(StoreError) in
      _ = try run(Self.add, all.parameters + [.booleans(owners.map { $0.place != nil })])
      let rows = try run(Self.lock, all.parameters)
      try confirm(history)
      var claims: [CartOwner: Claim] = [:]
      for row in 0..<rows.rowCount {
        let row = try CartRow(rows, row)
        guard let owner = row.hash.cart.owner else { continue }
        claims[owner] = Claim(row: row, epoch: row.maximumEpoch)
      }
      if claims.isEmpty { return claims }
      let raised = try run(
        Self.raise,
        all.parameters + [
          .integers(owners.map { $0.place?.epoch ?? -1 }), .integers(owners.map { $0.place?.version ?? -1 }),
          .booleans(owners.map { strays.contains($0.owner) }),
        ])
      for row in 0..<raised.rowCount {
        guard let owner = CartOwner(kind: raised.text(row, 0) ?? "", id: raised.text(row, 1) ?? ""),
          let epoch = raised.integer(row, 2)
        else { throw Self.incomplete.storeError }
        claims[owner]?.epoch = epoch
        claims[owner]?.skip = raised.integer(row, 3)
      }
      return claims
    }
  }

  // MARK: Persisting

  /// What became of a copy that was to be persisted.
  package enum Persisted: Equatable, Sendable {
    /// The database holds it.
    case written
    /// The database holds a newer one.
    case older
    /// A higher epoch was handed out.
    case outranked
    /// The guest's cart was merged: there is nothing to keep any more.
    case merged
    /// It could not be written now: somebody else has locked the row, or a merge was begun since the copy was read. It is
    /// to be read again.
    case locked
  }

  /// What was written, and the place of the database after it.
  package struct Written: Sendable {
    /// One for each copy.
    package var outcomes: [Persisted]
    package var lineage: DatabaseLineage
  }

  /// A copy of a cart, and the moment of its last change.
  package typealias Copy = (hash: CartHash, updatedAt: Timestamp)

  /// Keeps copies, each under the guard of its epoch and version, and drops the commands that they contain.
  ///
  /// - Parameter copies: of different owners. The rows of all of them are waited for.
  /// - Throws: ``StoreError``; with ``StoreError/Code/corrupt`` where the database refuses the data.
  package func write(_ copies: [Copy]) throws(StoreError) -> Written {
    let written = try persist(copies)
    try dropDelivered(copies)
    return written
  }

  /// Keeps copies as ``write(_:)`` does, all or nothing in one statement, and raises the number of a syncer's lane with
  /// them. Locked rows are passed over.
  ///
  /// - Parameters:
  ///   - lane: the syncer's; two that share one for a moment do no harm, since each number that was seen in it is that of
  ///     a batch that was committed.
  ///   - since: where the database was when it was last seen in that lane. One that has gone back gets a new tag.
  func write(_ copies: [Copy], lane: Int, since: DatabaseLineage) throws(StoreError) -> Written {
    if copies.isEmpty {
      let rows = try run(Self.advance, [.integer(lane), .integer(since.number)])
      return Written(outcomes: [], lineage: try Self.lineage(rows, 0))
    }
    let parameters = Self.columns(of: copies) + [.integer(lane), .integer(since.number)]
    let written = try persist(copies, Self.persistUnlocked, parameters)
    // A cart that was merged has nothing to follow any more.
    if written.outcomes.contains(.merged) { try dropDelivered(copies) }
    return written
  }

  /// Drops the commands that the database's copies contain.
  private func dropDelivered(_ copies: [Copy]) throws(StoreError) {
    let owners = Owners(copies.lazy.map(\.hash).filter { $0.inboxNumber > 0 || $0.state == .merged }.map(\.cart.owner))
    if !owners.isEmpty { _ = try run(Self.delivered, owners.parameters) }
  }

  /// Reads a tag and the number behind it; 0 where there is none.
  private static func lineage(_ rows: borrowing PostgresResult, _ column: Int) throws(StoreError) -> DatabaseLineage {
    guard let tag = rows.text(0, column) else { throw incomplete.storeError }
    return DatabaseLineage(tag: tag, number: rows.integer(0, column + 1) ?? 0)
  }

  /// Keeps copies, and leaves the commands that they contain to whoever persists the carts next.
  func persist(_ copies: [Copy]) throws(StoreError) -> Written {
    if copies.isEmpty { return Written(outcomes: [], lineage: DatabaseLineage(tag: "", number: 0)) }
    return try persist(copies, Self.persist, Self.columns(of: copies))
  }

  private func persist(
    _ copies: [Copy], _ statement: PostgresStatement, _ parameters: [PostgresParameter]
  ) throws(StoreError) -> Written {
    let rows = try run(statement, parameters)
    var outcomes = [Persisted?](repeating: nil, count: copies.count)
    for row in 0..<rows.rowCount {
      guard let position = rows.integer(row, 0), (1...Int64(copies.count)).contains(position) else { continue }
      outcomes[Int(position) - 1] = .written
    }
    if outcomes.contains(nil) { try explain(copies, &outcomes) }
    let lineage = rows.rowCount == 0 ? try lineage() : try Self.lineage(rows, 1)
    return Written(outcomes: outcomes.map { $0 ?? .locked }, lineage: lineage)
  }

  /// Why some copies were not written.
  private func explain(_ copies: [Copy], _ outcomes: inout [Persisted?]) throws(StoreError) {
    let rows = try run(Self.places, Owners(copies.map(\.hash.cart.owner)).parameters)
    for row in 0..<rows.rowCount {
      guard let position = rows.integer(row, 0), (1...Int64(copies.count)).contains(position),
        let maximumEpoch = rows.integer(row, 1), let isMerged = rows.boolean(row, 2), let epoch = rows.integer(row, 3),
        let version = rows.integer(row, 4), let applied = rows.integer(row, 5)
      else { continue }
      let index = Int(position) - 1
      if outcomes[index] != nil { continue }
      let hash = copies[index].hash
      if isMerged {
        outcomes[index] = .merged
      } else if maximumEpoch > hash.epoch {
        outcomes[index] = .outranked
      } else if (epoch, version, applied) > (hash.epoch, hash.cart.version, hash.inboxNumber) {
        outcomes[index] = .older
      }
    }
  }

  /// Whether a cart could be written now: one is, and taken back.
  ///
  /// - Throws: ``StoreError``, never with ``StoreError/Code/corrupt``: no cart is to blame.
  func tryToPersist() throws(StoreError) {
    do throws(StoreError) {
      try takingBack { () throws(StoreError) in _ = try run(Self.tryToPersist, []) }
    } catch {
      guard error.code == .corrupt else { throw error }
      throw StoreError(.unavailable, error.message, wasReached: true)
    }
  }

  /// Marks that Redis has let go of a cart as the database has it; does nothing where it has another copy.
  package func release(_ hash: CartHash) throws(StoreError) {
    guard let owner = hash.cart.owner else { return }
    _ = try run(
      Self.release, [.text(owner.kind), .text(owner.id), .integer(hash.epoch), .integer(hash.cart.version)])
  }

  /// Removes carts that are over: guests' that ended more than a day ago, and users' that were forgotten as long ago.
  ///
  /// - Parameters:
  ///   - place: where a former call has stopped; `nil` at the beginning.
  ///   - limit: so many rows are looked at.
  /// - Returns: how many were removed, and where to go on; `nil` when there are no more rows.
  func sweep(after place: String?, limit: Int) throws(StoreError) -> (removed: Int, next: String?) {
    let parts = (place ?? "").split(separator: ":", maxSplits: 1).map(String.init)
    let rows = try run(
      Self.sweep, [.text(parts.first ?? ""), .text(parts.count == 2 ? parts[1] : ""), .integer(limit)])
    let isThrough = rows.integer(0, 0) ?? 0 < Int64(limit)
    let next = "\(rows.text(0, 2) ?? ""):\(rows.text(0, 3) ?? "")"
    return (Int(rows.integer(0, 1) ?? 0), isThrough ? nil : next)
  }

  // MARK: Statements

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

/// The place of a database in time.
package struct DatabaseLineage: Equatable, Sendable {
  /// Another after the database was put back.
  package var tag: String
  /// Grows with each batch that is committed in one syncer's lane; milliseconds since 1970, or the next number where
  /// there are more.
  package var number: Int64
}

extension DatabaseLineage {
  /// Reads what stands under ``RedisKeys/database``: ``text``, and behind it the tag that takes its place when every cart
  /// is marked. `nil` for anything else.
  init?(_ text: String) {
    let parts = text.split(separator: "|")
    guard parts.count == 2 || parts.count == 3, let number = Int64(parts[1]) else { return nil }
    self.init(tag: String(parts.count == 3 ? parts[2] : parts[0]), number: number)
  }

  /// As it stands under ``RedisKeys/database``.
  var text: String { "\(tag)|\(number)" }
}

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
