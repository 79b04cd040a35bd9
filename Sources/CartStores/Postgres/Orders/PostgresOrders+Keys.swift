package import CartDomain

extension PostgresOrders {
  /// What a key has led to before.
  enum Claim: Equatable {
    /// Nothing; it is held until the transaction ends.
    case free
    /// Another transaction holds it.
    case taken
    case used(OrderID)
    /// It belongs to another wish.
    case reused
  }

  /// Takes hold of a key within a transaction. The keys of guests that were merged into a user count as that user's
  /// where they stand for the same wish: he may have logged in between a wish and its repetition.
  func claim(_ key: OrderKey, of owner: CartOwner) throws(StoreError) -> Claim {
    try Self.claim(try archive.run(Self.claimKey, Self.arguments(key, owner)))
  }

  static func claim(_ rows: borrowing PostgresResult) throws(StoreError) -> Claim {
    guard let id = rows.text(0, 1) else { return rows.boolean(0, 0) == true ? .free : .taken }
    guard rows.boolean(0, 2) == true else { return .reused }
    guard let id = OrderID(id) else { throw corrupt }
    return .used(id)
  }

  static func arguments(_ key: OrderKey, _ owner: CartOwner) -> [PostgresParameter] {
    [.text(owner.kind), .text(owner.id), .text(key.text), .text(hex(key.request))]
  }

  static func hex(_ bytes: [UInt8]) -> String {
    bytes.reduce(into: "\\x") { text, byte in text += (byte < 16 ? "0" : "") + String(byte, radix: 16) }
  }

  /// Removes keys that led to an order so many days ago; from then on they are free again.
  ///
  /// - Returns: how many were removed; at most `limit`.
  package func removeOldKeys(olderThanDays days: Int, limit: Int) throws(StoreError) -> Int {
    try archive.run(Self.removeOldKeys, [.integer(days), .integer(limit)]).affectedRows
  }

  // MARK: Statements

  static let claimKey = PostgresStatement("order_claim", claim(kind: "$1", id: "$2", key: "$3", request: "$4"))

  /// Takes hold of a key: whether it is held now, the order that it has led to, and whether for the same request. The
  /// look-up may be older than the lock, by a moment: then ``place`` finds the key used.
  ///
  /// Many owners may use the same key: it is looked up together with its owner alone, and with each of the guests that
  /// were merged into him. The limits keep PostgreSQL from turning that round.
  static func claim(kind: String, id: String, key: String, request: String) -> String {
    """
    SELECT pg_try_advisory_xact_lock(
      hashtextextended(current_schema() || ' order ' || \(kind) || ':' || \(id) || ':' || \(key), 0)) AS is_held,
      k.order_id, k.request = \(request)::bytea AS is_same
    FROM (VALUES (1)) AS one
    LEFT JOIN LATERAL (
      (SELECT order_id, request, 1 AS rank FROM order_keys
        WHERE key = \(key) AND owner_kind = \(kind) AND owner_id = \(id))
      UNION ALL
      (SELECT g.order_id, g.request, 2 FROM cart_merges m CROSS JOIN LATERAL (
          SELECT order_id, request FROM order_keys
          WHERE key = \(key) AND owner_kind = 'guest' AND owner_id = m.guest_id AND request = \(request)::bytea
          LIMIT 1) AS g
        WHERE \(kind) = 'user' AND m.user_id = \(id) LIMIT 1)
      ORDER BY rank LIMIT 1
    ) AS k ON true
    """
  }

  static let removeOldKeys = PostgresStatement(
    "order_remove_old_keys",
    """
    DELETE FROM order_keys WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM order_keys WHERE created_at < now() - $1::bigint * interval '1 day'
      ORDER BY created_at LIMIT $2))
    """)
}
