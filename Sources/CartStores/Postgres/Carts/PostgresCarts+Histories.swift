package import CartDomain

/// The histories of Redis that this database knows.
extension PostgresCarts {
  /// - Parameter replicationID: the history whose number is looked up.
  func records(of replicationID: String) throws(StoreError) -> RedisRecords {
    let rows = try run(Self.histories, [.text(replicationID)])
    guard let shop = rows.text(0, 0) else { throw Self.incomplete.storeError }
    var records = RedisRecords(shop: shop, hasCarts: rows.boolean(0, 1) ?? false, own: rows.integer(0, 2))
    if let number = rows.integer(0, 3) {
      records.newest = RedisRecords.Entry(
        number: number, replicationID: rows.text(0, 4) ?? "", runID: rows.text(0, 5) ?? "",
        location: rows.text(0, 6) ?? "", closed: rows.text(0, 7) ?? "", isDrained: rows.boolean(0, 8) ?? false,
        successor: rows.text(0, 9) ?? "", registeredAt: Timestamp(milliseconds: rows.integer(0, 10) ?? 0))
    }
    return records
  }

  /// What is known of the Redis that speaks for the shop.
  package func records() throws(StoreError) -> RedisRecords { try records(of: "") }

  /// The number of the newest history; `nil` if there is none.
  func newestHistory() throws(StoreError) -> Int64? { try run(Self.newest, []).integer(0, 0) }

  /// Registers a Redis as ``RedisAdmission`` says. Of several at once one comes first, and the others find what it did.
  ///
  /// - Returns: what became of it, and what is known after that.
  func admit(_ redis: RedisCandidate) throws(StoreError) -> (RedisAdmission, RedisRecords) {
    try inTransaction { () throws(StoreError) in
      _ = try run(Self.lockHistories, [])
      let admission = RedisAdmission(redis, try records(of: redis.replicationID))
      switch admission {
      case .known, .superseded, .refused: break
      case .begun: _ = try run(Self.begin, Self.columns(of: redis) + [.integer(nil)])
      case .reinstated(let number): _ = try run(Self.begin, Self.columns(of: redis) + [.integer(number)])
      case .resumed(let number):
        _ = try run(Self.forget, [.text(redis.replicationID), .integer(number)])
        _ = try run(Self.resume, Self.columns(of: redis) + [.integer(number)])
      }
      return (admission, try records(of: redis.replicationID))
    }
  }

  private static func columns(of redis: RedisCandidate) -> [PostgresParameter] {
    [.text(redis.replicationID), .text(redis.runID), .text(redis.location)]
  }

  /// Notes what an older cartd has not.
  func describe(_ redis: RedisCandidate, in records: RedisRecords) throws(StoreError) {
    guard let newest = records.newest, newest.location.isEmpty || newest.runID.isEmpty else { return }
    _ = try run(Self.describe, Self.columns(of: redis))
  }

  /// Whoever takes hold of a cart makes sure that its history is the newest. Redis does not count as closed any more, if
  /// it did: it may have been emptied since.
  ///
  /// - Throws: ``StoreError`` if a newer history is registered, or this one is not known.
  func confirm(_ history: RedisHistory) throws(StoreError) {
    if try run(Self.confirm, [.integer(history.number)]).integer(0, 0) == history.number { return }
    refused = history
    throw Self.outdated.storeError
  }

  // MARK: Whoever follows

  /// Marks that Redis is closed by a word; see ``RedisHistories/close(draining:)``.
  ///
  /// - Returns: false if another history is the newest.
  func close(_ history: RedisHistory, with word: String) throws(StoreError) -> Bool {
    try run(Self.close, [.integer(history.number), .text(word)]).affectedRows == 1
  }

  /// - Returns: the number of the newest history.
  func open(_ word: String) throws(StoreError) -> Int64? { try run(Self.open, [.text(word)]).integer(0, 0) }

  /// - Returns: false if it was opened again.
  func drain(_ word: String) throws(StoreError) -> Bool { try run(Self.drain, [.text(word)]).affectedRows == 1 }

  /// Lets a Redis follow the one that speaks for the shop now.
  ///
  /// - Parameters:
  ///   - name: see ``RedisCandidate/name``.
  ///   - number: of the newest history that was looked at.
  /// - Returns: false if there is a newer one by now.
  func permit(_ name: String, after number: Int64) throws(StoreError) -> Bool {
    try run(Self.permit, [.text(name), .integer(number)]).affectedRows == 1
  }

  // MARK: Statements

  private static let newest = PostgresStatement("lineage_newest", "SELECT max(number) FROM redis_lineages")

  private static let confirm = PostgresStatement(
    "lineage_confirm",
    """
    WITH opened AS (UPDATE redis_lineages SET closed = '', is_drained = false WHERE number = $1 AND closed <> '')
    SELECT max(number) FROM redis_lineages
    """)

  /// `$1` replication id.
  private static let histories = PostgresStatement(
    "lineage_histories",
    """
    SELECT d.shop, EXISTS (SELECT FROM carts), (SELECT number FROM redis_lineages WHERE replication_id = $1),
      n.number, n.replication_id, n.run_id, n.location, n.closed, n.is_drained, n.successor,
      (extract(epoch FROM n.seen_at) * 1000)::bigint
    FROM database_lineage d
    LEFT JOIN LATERAL (SELECT * FROM redis_lineages ORDER BY number DESC LIMIT 1) n ON true
    WHERE d.is_only_row
    """)

  private static let lockHistories = PostgresStatement(
    "lineage_lock", "LOCK TABLE redis_lineages IN SHARE ROW EXCLUSIVE MODE")

  /// `$1` replication id, `$2` process, `$3` location, `$4` its number if it has one already.
  private static let begin = PostgresStatement(
    "lineage_register",
    """
    INSERT INTO redis_lineages (number, replication_id, run_id, location)
    SELECT coalesce($4, next_generation(coalesce(max(number), 0))), $1, $2, $3 FROM redis_lineages
    ON CONFLICT (replication_id) DO UPDATE SET number = excluded.number, run_id = excluded.run_id,
      location = excluded.location, seen_at = now(), closed = '', is_drained = false, successor = ''
    """)

  private static let forget = PostgresStatement(
    "lineage_forget", "DELETE FROM redis_lineages WHERE replication_id = $1 AND number <> $2")

  private static let resume = PostgresStatement(
    "lineage_resume",
    "UPDATE redis_lineages SET replication_id = $1, run_id = $2, location = $3, seen_at = now() WHERE number = $4")

  private static let describe = PostgresStatement(
    "lineage_describe",
    """
    UPDATE redis_lineages SET run_id = coalesce(nullif(run_id, ''), $2), location = coalesce(nullif(location, ''), $3)
    WHERE replication_id = $1
    """)

  private static let close = PostgresStatement(
    "lineage_close",
    """
    UPDATE redis_lineages SET closed = $2, is_drained = false
    WHERE number = $1 AND number = (SELECT max(number) FROM redis_lineages)
    """)

  private static let open = PostgresStatement(
    "lineage_open",
    """
    WITH opened AS (UPDATE redis_lineages SET closed = '', is_drained = false WHERE closed = $1)
    SELECT max(number) FROM redis_lineages
    """)

  private static let drain = PostgresStatement(
    "lineage_drain", "UPDATE redis_lineages SET is_drained = true WHERE closed = $1")

  private static let permit = PostgresStatement(
    "lineage_permit",
    """
    UPDATE redis_lineages SET successor = $1
    WHERE number = $2 AND number = (SELECT max(number) FROM redis_lineages)
    """)
}
