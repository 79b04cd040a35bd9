import CartDomain

extension PostgresCarts {
  func erase(_ owner: CartOwner) throws(StoreError) -> (wasThere: Bool, changes: Int, commands: Int) {
    try inTransaction { () throws(StoreError) in
      let row = try run(Self.empty, [.text(owner.kind), .text(owner.id)])
      let commands = try run(Self.eraseCommands, [.text(owner.kind), .text(owner.id)]).affectedRows
      if !owner.isGuest { _ = try run(Self.eraseMerges, [.text(owner.id)]) }
      return (row.boolean(0, 0) ?? false, try eraseRecord(of: owner), commands)
    }
  }

  func eraseRecord(of owner: CartOwner) throws(StoreError) -> Int {
    Int(try run(Self.eraseRecord, [.text(owner.kind), .text(owner.id)]).integer(0, 0) ?? 0)
  }

  /// A guest's row ends at once: the id is spent. A merged one stays merged.
  private static let empty = PostgresStatement(
    "cart_empty",
    """
    WITH present AS (SELECT version > 0 OR state > 0 AS is_cart FROM carts WHERE owner_kind = $1 AND owner_id = $2)
    INSERT INTO carts AS c (owner_kind, owner_id, epoch, expires_at)
    VALUES ($1, $2, next_generation(0), CASE WHEN $1 = 'guest' THEN now() - interval '1 minute' END)
    ON CONFLICT (owner_kind, owner_id) DO UPDATE SET
      epoch = next_generation(c.epoch), data_epoch = 0, version = 0, currency = NULL, clock = 0, lines = '[]',
      retry_ring = '', inbox_applied = c.inbox_number, merged_into = NULL, is_released = false,
      cookie_renewed_at = NULL, updated_at = now(), synced_at = NULL, expires_at = excluded.expires_at
    RETURNING coalesce((SELECT is_cart FROM present), false)
    """)

  private static let eraseCommands = PostgresStatement(
    "cart_erase_commands", "DELETE FROM cart_inbox WHERE owner_kind = $1 AND owner_id = $2")

  /// Guests' carts stay merged, but not into this user any more.
  private static let eraseMerges = PostgresStatement(
    "cart_erase_merges",
    """
    WITH merges AS (UPDATE cart_merges SET user_id = '' WHERE user_id = $1 RETURNING guest_id)
    UPDATE carts SET merged_into = NULL
    WHERE owner_kind = 'guest' AND owner_id IN (SELECT guest_id FROM merges) AND state = 2
    """)

  private static let eraseRecord = PostgresStatement(
    "cart_erase_record",
    """
    WITH events AS (DELETE FROM cart_events WHERE owner_kind = $1 AND owner_id = $2 RETURNING owner_id),
    lines AS (DELETE FROM line_changes WHERE owner_kind = $1 AND owner_id = $2 RETURNING owner_id)
    SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM lines)
    """)
}
