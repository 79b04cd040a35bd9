package import CartDomain

extension PostgresCarts {
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

  // MARK: Statements

  static let persist = PostgresStatement(
    "cart_persist",
    """
    WITH copies AS (\(copies)), written AS (\(writeCopies) RETURNING owner_kind, owner_id)
    SELECT copies.position, d.tag
    FROM copies JOIN written USING (owner_kind, owner_id) JOIN database_lineage d ON d.is_only_row
    """)

  /// ``columns(of:)`` as a table.
  static let copies = """
    SELECT * FROM unnest(
      $1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[], $7::jsonb[], $8::bytea[],
      $9::bigint[], $10::smallint[], $11::text[], $12::bigint[], $13::bigint[], $14::bigint[])
      WITH ORDINALITY AS n (owner_kind, owner_id, epoch, version, currency, clock, lines, retry_ring, inbox_applied,
        state, merged_into, cookie_renewed, updated, expires, position)
    """

  /// Writes ``copies`` under their guard. A copy of the same place may be written again: its end and its ring of retry
  /// keys can be newer. A command that found nothing to do leaves the version, and is a place of its own all the same. So
  /// is a merge that was begun: within an epoch it is never undone.
  static let writeCopies = """
    INSERT INTO carts AS present (owner_kind, owner_id, epoch, data_epoch, version, currency, clock, lines,
      retry_ring, inbox_number, inbox_applied, state, merged_into, cookie_renewed_at, updated_at, synced_at,
      expires_at)
    SELECT owner_kind, owner_id, epoch, epoch, version, currency, clock, lines, retry_ring, inbox_applied,
      inbox_applied, state, merged_into, to_timestamp(cookie_renewed), to_timestamp(updated / 1000.0),
      clock_timestamp(), to_timestamp(expires)
    FROM copies ORDER BY owner_kind COLLATE "C", owner_id COLLATE "C"
    ON CONFLICT (owner_kind, owner_id) DO UPDATE SET
      epoch = greatest(present.epoch, excluded.epoch), data_epoch = excluded.data_epoch, version = excluded.version,
      currency = excluded.currency, clock = excluded.clock, lines = excluded.lines,
      retry_ring = excluded.retry_ring, inbox_number = greatest(present.inbox_number, excluded.inbox_number),
      inbox_applied = excluded.inbox_applied, state = excluded.state, merged_into = excluded.merged_into,
      is_released = false, cookie_renewed_at = greatest(present.cookie_renewed_at, excluded.cookie_renewed_at),
      updated_at = greatest(present.updated_at, excluded.updated_at), synced_at = excluded.synced_at,
      expires_at = CASE
        WHEN present.data_epoch = 0 THEN excluded.expires_at ELSE greatest(present.expires_at, excluded.expires_at) END
    WHERE present.state <> 2 AND present.epoch <= excluded.epoch
      AND (present.data_epoch, present.version, present.inbox_applied)
        <= (excluded.data_epoch, excluded.version, excluded.inbox_applied)
      AND (present.data_epoch, present.state) <= (excluded.data_epoch, excluded.state)
    """

  /// All that a syncer does with a batch, as one statement: no lock waits for an answer of the syncer's. It passes over
  /// carts whose rows somebody else has locked, of which one would hold up the others; drops the commands that the written
  /// copies contain; and raises the number of the lane `$15`, seen last at `$16`.
  static let persistUnlocked = PostgresStatement(
    "cart_persist_unlocked",
    """
    WITH given AS (\(copies)), free AS (
      SELECT c.owner_kind, c.owner_id FROM carts c JOIN given USING (owner_kind, owner_id)
      ORDER BY c.owner_kind, c.owner_id FOR UPDATE OF c SKIP LOCKED
    ), copies AS (
      SELECT given.* FROM given
        LEFT JOIN free USING (owner_kind, owner_id) LEFT JOIN carts c USING (owner_kind, owner_id)
      WHERE free.owner_id IS NOT NULL OR c.owner_id IS NULL
    ), written AS (
      \(writeCopies) RETURNING owner_kind, owner_id, inbox_applied
    ), delivered AS (
      DELETE FROM cart_inbox i USING written w
      WHERE w.inbox_applied > 0 AND i.owner_kind = w.owner_kind AND i.owner_id = w.owner_id AND i.number <= w.inbox_applied
    ), \(lane("$15", since: "$16"))
    SELECT given.position, lane.tag, lane.number
    FROM lane LEFT JOIN (given JOIN written USING (owner_kind, owner_id)) ON true
    """)

  static let advance = PostgresStatement(
    "lineage_advance", "WITH \(lane("$1", since: "$2")) SELECT tag, number FROM lane")

  /// Raises the number of a lane, and answers it with the database's tag as `lane`. A database whose number is lower than
  /// the one that was last seen in the lane has gone back, and gets a new tag. The numbers only grow, so that the row can be
  /// read before it is locked.
  private static func lane(_ lane: String, since number: String) -> String {
    """
    former AS (
      SELECT coalesce((SELECT number FROM sync_lanes WHERE lane = \(lane)), 0) AS number
    ), raised AS (
      INSERT INTO sync_lanes AS present (lane, number) VALUES (\(lane), next_generation(\(number)))
      ON CONFLICT (lane) DO UPDATE SET number = next_generation(greatest(present.number, \(number)))
      RETURNING number
    ), renamed AS (
      UPDATE database_lineage SET tag = left(replace(gen_random_uuid()::text, '-', ''), 8)
      FROM former WHERE is_only_row AND former.number < \(number)
      RETURNING tag
    ), lane AS (
      SELECT coalesce((SELECT tag FROM renamed), (SELECT tag FROM database_lineage WHERE is_only_row)) AS tag, raised.number
      FROM raised
    )
    """
  }

  /// The parameters of ``persist``.
  static func columns(of copies: [(hash: CartHash, updatedAt: Timestamp)]) -> [PostgresParameter] {
    func integers(_ value: (CartHash) -> Int64?) -> PostgresParameter { .integers(copies.map { value($0.hash) }) }
    func texts(_ value: (CartHash) -> String?) -> PostgresParameter { .texts(copies.map { value($0.hash) }) }
    return Owners(copies.map(\.hash.cart.owner)).parameters + [
      integers { $0.epoch }, integers { $0.cart.version }, texts { $0.cart.currency?.code },
      integers { $0.cart.clock }, texts { CartRow.json(of: $0.cart.lines) }, texts { CartRow.text(of: $0.ring) },
      integers { $0.inboxNumber }, integers { $0.state.rawValue }, texts { $0.mergedInto },
      integers { $0.cookieRenewedSecond == 0 ? nil : $0.cookieRenewedSecond },
      .integers(copies.map(\.updatedAt.milliseconds)), integers { $0.cart.expiresAt?.seconds },
    ]
  }

  /// Drops the commands that the copies contain. A cart that was merged has nothing to follow any more.
  static let delivered = PostgresStatement(
    "cart_delivered",
    """
    DELETE FROM cart_inbox i USING unnest($1::text[], $2::text[]) AS o (kind, id), carts c
    WHERE c.owner_kind = o.kind AND c.owner_id = o.id
      AND i.owner_kind = o.kind AND i.owner_id = o.id
      AND i.number <= CASE WHEN c.state = 2 THEN c.inbox_number ELSE c.inbox_applied END
    """)

  static let places = PostgresStatement(
    "cart_places",
    """
    SELECT o.position, c.epoch, c.state = 2, c.data_epoch, c.version, c.inbox_applied
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS o (kind, id, position)
    JOIN carts c ON c.owner_kind = o.kind AND c.owner_id = o.id
    """)

  static let tryToPersist = PostgresStatement(
    "cart_try",
    """
    INSERT INTO carts (owner_kind, owner_id) VALUES ('guest', '') ON CONFLICT (owner_kind, owner_id) DO UPDATE SET epoch = 0
    """)

  static let release = PostgresStatement(
    "cart_release",
    """
    UPDATE carts SET is_released = true
    WHERE owner_kind = $1 AND owner_id = $2 AND epoch = $3 AND data_epoch = $3 AND version = $4
    """)
}
