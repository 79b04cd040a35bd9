package import CartDomain

/// Carts in PostgreSQL. Every statement that writes a copy is guarded: an older one never replaces a newer one.
package final class PostgresCarts {
  package let connection: PostgresConnection
  /// The history of Redis that the database has last refused; whoever goes by it must ask anew.
  var refused: RedisHistory?

  package init(_ connection: PostgresConnection) {
    self.connection = connection
  }

  // MARK: Histories

  /// Registers a history of Redis, or finds it registered.
  ///
  /// - Parameters:
  ///   - replicationID: `master_replid` of `INFO replication`.
  ///   - number: what the history is known as already; it keeps the number where this database was put back.
  /// - Throws: ``StoreError`` also where a newer history is registered: this Redis is not the one in use any more.
  package func register(_ replicationID: String, as number: Int64?) throws(StoreError) -> Int64 {
    // Whoever loses against another that registers the same finds it registered the next time.
    for _ in 0..<2 {
      let rows = try read(Self.register, [.text(replicationID), .integer(number)])
      guard let registered = rows.integer(0, 0), let newest = rows.integer(0, 1) else { continue }
      if registered == newest { return registered }
      break
    }
    throw Self.outdated.storeError
  }

  /// The place of this database in time; see ``DatabaseLineage``.
  package func lineage() throws(StoreError) -> DatabaseLineage {
    let rows = try read(Self.lineage, [])
    guard let tag = rows.text(0, 0), let number = rows.integer(0, 1) else { throw Self.incomplete.storeError }
    return DatabaseLineage(tag: tag, number: number)
  }

  // MARK: Reading

  /// The copy of one cart, or `nil`; nothing is claimed by it.
  package func row(of owner: CartOwner) throws(StoreError) -> CartRow? {
    let rows = try read(Self.row, [.text(owner.kind), .text(owner.id)])
    return rows.rowCount == 0 ? nil : try CartRow(rows, 0)
  }

  /// What the database commands a cart after the command numbered `number`, in order.
  package func commands(for owner: CartOwner, after number: Int64) throws(StoreError) -> [InboxCommand] {
    let rows = try read(Self.commands, [.text(owner.kind), .text(owner.id), .integer(number)])
    var commands: [InboxCommand] = []
    for row in 0..<rows.rowCount { commands.append(try InboxCommand(rows, row)) }
    return commands
  }

  /// The owners of commands that have waited for `milliseconds` or more; at most `limit`.
  package func ownersWithCommands(olderThan milliseconds: Int, limit: Int) throws(StoreError) -> [CartOwner] {
    Self.owners(try read(Self.waiting, [.integer(milliseconds), .integer(limit)]))
  }

  /// The owners of all copies that may be served, in the order of their keys, from the one after `last`.
  package func owners(after last: CartOwner?, limit: Int) throws(StoreError) -> [CartOwner] {
    Self.owners(try read(Self.page, [.text(last?.kind ?? ""), .text(last?.id ?? ""), .integer(limit)]))
  }

  /// How many owners ``owners(after:limit:)`` gives in all.
  package func count(after last: CartOwner?) throws(StoreError) -> Int {
    Int(try read(Self.pageCount, [.text(last?.kind ?? ""), .text(last?.id ?? "")]).integer(0, 0) ?? 0)
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
    /// The version with which the database's copy is to go on where Redis has lost what came after it.
    package var version: Int64
  }

  /// Takes hold of carts: raises their epochs above all that there were. Where the database's copy may be the one that
  /// goes on, the version for that is noted, so that it is a later one if Redis loses the cart again before it is
  /// persisted. The copy's own place stays: who takes hold of a cart may not come to put it back.
  ///
  /// - Parameters:
  ///   - owners: with the epoch and version of the copy that Redis has, `nil` where it has none: a cart that neither
  ///     store has is not claimed.
  ///   - history: the number of the history that the caller serves.
  /// - Throws: ``StoreError`` also where a newer history of Redis is registered.
  package func claim(
    _ owners: [(owner: CartOwner, place: (epoch: Int64, version: Int64)?)], in history: RedisHistory
  ) throws(StoreError) -> [CartOwner: Claim] {
    let all = Owners(owners.map(\.owner))
    let areKnown = owners.map { $0.place == nil ? "f" : "t" }
    return try inTransaction(lockTimeout: connection.configuration.rowLockTimeout) { () throws(StoreError) in
      _ = try read(Self.add, all.parameters + [.texts(areKnown)])
      let rows = try read(Self.lock, all.parameters)
      try confirm(history)
      var claims: [CartOwner: Claim] = [:]
      for row in 0..<rows.rowCount {
        let row = try CartRow(rows, row)
        guard let owner = row.hash.cart.owner else { continue }
        claims[owner] = Claim(row: row, epoch: row.fence, version: row.hash.cart.version)
      }
      if claims.isEmpty { return claims }
      let raised = try read(
        Self.raise,
        all.parameters + [
          .integers(owners.map { $0.place?.epoch ?? 0 }), .integers(owners.map { $0.place?.version ?? 0 }),
        ])
      for row in 0..<raised.rowCount {
        guard let owner = CartOwner(kind: raised.text(row, 0) ?? "", id: raised.text(row, 1) ?? ""),
          let epoch = raised.integer(row, 2), let floor = raised.integer(row, 3)
        else { throw Self.incomplete.storeError }
        claims[owner]?.epoch = epoch
        guard let claim = claims[owner], !claim.row.isReleased, claim.version > 0 else { continue }
        claims[owner]?.version = floor
      }
      return claims
    }
  }

  func confirm(_ history: RedisHistory) throws(StoreError) {
    if history == .unregistered { return }
    let rows = try read(Self.confirm, [.text(history.replicationID), .integer(history.lineage)])
    guard rows.boolean(0, 0) == true else {
      refused = history
      throw Self.outdated.storeError
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
    case fenced
    /// The guest's cart was merged: there is nothing to keep any more.
    case merged
  }

  /// What was written, and the place of the database after it.
  package struct Written: Sendable {
    /// One for each copy.
    package var outcomes: [Persisted]
    package var lineage: DatabaseLineage
  }

  /// Keeps copies, each under the guard of its epoch and version, drops the commands that they contain, and records
  /// changes: all or nothing.
  ///
  /// - Parameters:
  ///   - copies: of different owners, with the moment of their last change.
  ///   - events: each is recorded once, however often it is given.
  ///   - since: where the database was when it was last seen. One that has gone back since gets a new tag.
  /// - Throws: ``StoreError``; with ``StoreError/Code/corrupt`` where the database refuses the data.
  package func write(
    _ copies: [(hash: CartHash, updatedAt: Timestamp)], events: [CartEvent] = [], since: DatabaseLineage? = nil
  ) throws(StoreError) -> Written {
    guard let since else {
      let written = try persist(copies)
      try dropDelivered(copies)
      return written
    }
    return try inTransaction { () throws(StoreError) in
      let lineage = try advance(from: since)
      try record(events)
      var written = try persist(copies)
      try dropDelivered(copies)
      written.lineage = lineage
      return written
    }
  }

  /// Drops the commands that the database's copies contain.
  private func dropDelivered(_ copies: [(hash: CartHash, updatedAt: Timestamp)]) throws(StoreError) {
    let owners = Owners(copies.lazy.map(\.hash).filter { $0.inboxNumber > 0 || $0.state == .merged }.map(\.cart.owner))
    if !owners.isEmpty { _ = try read(Self.delivered, owners.parameters) }
  }

  private func advance(from since: DatabaseLineage) throws(StoreError) -> DatabaseLineage {
    let rows = try read(Self.advance, [.text(since.tag), .integer(since.number)])
    guard let tag = rows.text(0, 0), let number = rows.integer(0, 1) else { throw Self.incomplete.storeError }
    return DatabaseLineage(tag: tag, number: number)
  }

  /// Keeps copies, and leaves the commands that they contain to whoever persists the carts next.
  func persist(_ copies: [(hash: CartHash, updatedAt: Timestamp)]) throws(StoreError) -> Written {
    if copies.isEmpty { return Written(outcomes: [], lineage: DatabaseLineage(tag: "", number: 0)) }
    let rows = try read(Self.persist, Self.columns(of: copies))
    var outcomes = [Persisted?](repeating: nil, count: copies.count)
    for row in 0..<rows.rowCount {
      guard let position = rows.integer(row, 0), (1...Int64(copies.count)).contains(position) else { continue }
      outcomes[Int(position) - 1] = .written
    }
    if rows.rowCount < copies.count { try explain(copies, &outcomes) }
    let lineage =
      rows.rowCount == 0
      ? try lineage() : DatabaseLineage(tag: rows.text(0, 1) ?? "", number: rows.integer(0, 2) ?? 0)
    return Written(outcomes: outcomes.map { $0 ?? .older }, lineage: lineage)
  }

  /// Why some copies were not written.
  private func explain(
    _ copies: [(hash: CartHash, updatedAt: Timestamp)], _ outcomes: inout [Persisted?]
  ) throws(StoreError) {
    let rows = try read(Self.places, Owners(copies.map(\.hash.cart.owner)).parameters)
    for row in 0..<rows.rowCount {
      guard let position = rows.integer(row, 0), (1...Int64(copies.count)).contains(position),
        let fence = rows.integer(row, 1), let isMerged = rows.boolean(row, 2)
      else { continue }
      let index = Int(position) - 1
      if outcomes[index] != nil { continue }
      outcomes[index] = isMerged ? .merged : fence > copies[index].hash.epoch ? .fenced : .older
    }
  }

  /// Marks that Redis has let go of a cart as the database has it; does nothing where it has another copy.
  package func release(_ hash: CartHash) throws(StoreError) {
    guard let owner = hash.cart.owner else { return }
    _ = try read(
      Self.release, [.text(owner.kind), .text(owner.id), .integer(hash.epoch), .integer(hash.cart.version)])
  }

  /// Drops a guest's cart that is not to be kept here, where Redis has followed all its commands.
  func drop(_ owner: CartOwner, through number: Int64) throws(StoreError) {
    _ = try read(Self.drop, [.text(owner.kind), .text(owner.id), .integer(number)])
  }

  /// Removes guests' carts that ended more than a day ago.
  ///
  /// - Returns: how many were removed; at most `limit`.
  package func removeExpiredGuests(limit: Int) throws(StoreError) -> Int {
    try read(Self.removeExpired, [.integer(limit)]).affectedRows
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

  /// Everything here may be done twice, so that no outcome is in doubt.
  func read(_ statement: PostgresStatement, _ parameters: [PostgresParameter]) throws(StoreError) -> PostgresResult {
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
  /// Grows with each batch that is committed; milliseconds since 1970, or the next number where there are more.
  package var number: Int64
}

extension DatabaseLineage {
  /// Reads ``text``; `nil` for anything else.
  init?(_ text: String) {
    let parts = text.split(separator: "|")
    guard parts.count == 2, let number = Int64(parts[1]) else { return nil }
    self.init(tag: String(parts[0]), number: number)
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
