package import CartDomain

extension PostgresCarts {
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

  // MARK: Statements

  /// Makes the rows that are missing and locks the others, in the order in which ``persist`` takes them too: a row that
  /// is made before the one in front of it is locked would end in a deadlock with a synchroniser. `DO NOTHING` locks
  /// nothing. A guest's row has an end from the beginning, which the first copy puts right: there may never be one.
  static let add = PostgresStatement(
    "cart_add",
    """
    INSERT INTO carts AS present (owner_kind, owner_id, expires_at)
    SELECT kind, id, CASE kind WHEN 'guest' THEN now() + \(guestLifetime) END
    FROM unnest($1::text[], $2::text[], $3::boolean[]) AS o (kind, id, is_known)
    WHERE is_known OR EXISTS (SELECT FROM carts c WHERE c.owner_kind = kind AND c.owner_id = id)
    ORDER BY kind COLLATE "C", id COLLATE "C"
    ON CONFLICT (owner_kind, owner_id) DO UPDATE SET epoch = present.epoch WHERE false
    """)

  static let lock = PostgresStatement(
    "cart_lock",
    """
    SELECT \(CartRow.columns)
    FROM carts c JOIN unnest($1::text[], $2::text[]) AS o (kind, id) ON c.owner_kind = o.kind AND c.owner_id = o.id
    ORDER BY c.owner_kind, c.owner_id FOR UPDATE OF c
    """)

  /// `$3` epoch, `$4` version of the copy in Redis, less than any where there is none; `$5` whether it is of another
  /// history. A later version than this database knows may have been given where Redis's copy is such a one, and where it
  /// is older than the one here, or gone, though Redis did not let go of it.
  static let raise = PostgresStatement(
    "cart_raise",
    """
    UPDATE carts c SET epoch = next_generation(greatest(c.epoch, o.epoch)), is_released = false,
      version_floor = coalesce(o.skip, c.version_floor)
    FROM (
      SELECT kind, id, n.epoch, CASE
        WHEN is_stray AND n.version > 0
          OR NOT p.is_released AND greatest(p.version, p.version_floor) > 0
            AND (p.data_epoch, p.version) > (n.epoch, n.version)
        THEN (greatest(p.version, p.version_floor, n.version) / \(CartRow.versionStep) + 1) * \(CartRow.versionStep)
      END AS skip
      FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::boolean[])
        AS n (kind, id, epoch, version, is_stray)
      JOIN carts p ON p.owner_kind = kind AND p.owner_id = id
    ) o
    WHERE c.owner_kind = o.kind AND c.owner_id = o.id
    RETURNING c.owner_kind, c.owner_id, c.epoch, o.skip
    """)
}
