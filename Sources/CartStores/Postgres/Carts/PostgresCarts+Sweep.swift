import CartDomain

extension PostgresCarts {
  /// For so long a guest's cart lives after its last use.
  static let guestLifetime = "interval '\(Cart.guestLifetimeMilliseconds / 86_400_000) days'"

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

  /// Looks at `$3` rows behind the owner `$1`, `$2`, and removes those that are over: guests' that ended more than a day
  /// ago, and users' that were emptied as long ago. It goes by the primary key: an index of ends would have to change
  /// with every change of a guest's cart.
  static let sweep = PostgresStatement(
    "cart_sweep",
    """
    WITH page AS (
      SELECT owner_kind, owner_id, \(isOver("c")) AS is_over FROM carts c
      WHERE (owner_kind, owner_id) > ($1, $2) ORDER BY owner_kind, owner_id LIMIT $3
    ), gone AS (
      DELETE FROM carts c USING page p
      WHERE p.is_over AND c.owner_kind = p.owner_kind AND c.owner_id = p.owner_id AND \(isOver("c"))
      RETURNING c.owner_kind, c.owner_id
    ), commands AS (
      DELETE FROM cart_inbox i USING gone g WHERE i.owner_kind = g.owner_kind AND i.owner_id = g.owner_id
    )
    SELECT (SELECT count(*) FROM page), (SELECT count(*) FROM gone), owner_kind, owner_id FROM page
    ORDER BY owner_kind DESC, owner_id DESC LIMIT 1
    """)

  private static func isOver(_ row: String) -> String {
    """
    CASE \(row).owner_kind
      -- Guests of former versions who logged in before their cart was persisted have no end.
      WHEN 'guest' THEN coalesce(\(row).expires_at, \(row).updated_at + \(guestLifetime)) < now() - interval '1 day'
      ELSE \(row).version = 0 AND \(row).data_epoch = 0 AND \(row).inbox_number = \(row).inbox_applied
        AND \(row).updated_at < now() - interval '1 day' END
    """
  }
}
