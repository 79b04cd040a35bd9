import CartDomain

extension PostgresCarts {
  /// What became of a merge that was to be recorded.
  enum MergeRecord: Equatable {
    /// The user's inbox has the command.
    case recorded
    /// The guest's cart was merged before.
    case mergedBefore
    /// A higher epoch was handed out for the guest's cart.
    case outranked
    /// The guest's cart is commanded to do something that it has not done: an order has taken lines of it.
    case behind
  }

  /// Whether a guest's cart was merged.
  func isMerged(_ guest: GuestCartID) throws(StoreError) -> Bool {
    try run(Self.findMerge, [.text(guest.text)]).rowCount > 0
  }

  /// Records a merge: the guest's cart is spent, the user's is commanded to take its lines in, and the guest's orders
  /// become the user's. All or nothing, and once for each guest, ever.
  ///
  /// - Parameter guest: frozen, and after all commands that it has followed.
  func record(
    _ merge: CartMerge, of guest: CartHash, into user: CartOwner, requestID: String, in history: RedisHistory
  ) throws(StoreError) -> MergeRecord {
    guard let owner = guest.cart.owner else { return .mergedBefore }
    do throws(StoreError) {
      return try inTransaction { () throws(StoreError) in
        try record(merge, owner, guest, into: user, requestID: requestID, in: history)
      }
    } catch {
      // A commit that got no answer is decided by asking.
      if let isMerged = try? isMerged(merge.guest), isMerged { return .recorded }
      throw error
    }
  }

  private func record(
    _ merge: CartMerge, _ guest: CartOwner, _ hash: CartHash, into user: CartOwner, requestID: String,
    in history: RedisHistory
  ) throws(StoreError) -> MergeRecord {
    let both = Owners([guest, user]).parameters
    _ = try run(Self.add, both + [.texts(["t", "t"])])
    let rows = try run(Self.lock, both)
    try confirm(history)
    var last: Int64 = 0
    for row in 0..<rows.rowCount {
      let row = try CartRow(rows, row)
      if row.hash.cart.owner == user { last = row.lastCommand }
      guard row.hash.cart.owner == guest else { continue }
      if row.hash.state == .merged { return .mergedBefore }
      if row.maximumEpoch > hash.epoch { return .outranked }
      if row.lastCommand > hash.inboxNumber { return .behind }
    }
    let command = CartCommand.merge(merge)
    let recorded = try run(
      Self.recordMerge,
      [
        .text(guest.id), .text(user.id), .text(merge.strategy.rawValue), .integer(last), .text(command.action),
        .text(command.payload), .text(requestID),
      ])
    return recorded.rowCount == 1 ? .recorded : .mergedBefore
  }

  /// Removes merges of guests who have come to their end: no store takes their ids for anybody any more. Where the guest
  /// had ordered, the user may repeat the order, and the merge is kept as long as the key of the order is.
  ///
  /// - Parameter orderKeysDays: for so many days keys of orders are kept.
  /// - Returns: how many were removed; at most `limit`.
  func removeOldMerges(orderKeysDays: Int, limit: Int) throws(StoreError) -> Int {
    try run(Self.removeOldMerges, [.integer(orderKeysDays), .integer(limit)]).affectedRows
  }

  /// Guests' carts that somebody has begun to merge, and has not ended for so long, in the order of their ids.
  ///
  /// - Parameter id: only those behind this one.
  func guestsBeingMerged(for milliseconds: Int, after id: String, limit: Int) throws(StoreError) -> [CartOwner] {
    let rows = try run(Self.beingMerged, [.integer(milliseconds), .text(id), .integer(limit)])
    return (0..<rows.rowCount).compactMap { CartOwner(kind: "guest", id: rows.text($0, 0) ?? "") }
  }

  private static let findMerge = PostgresStatement("merge_find", "SELECT FROM cart_merges WHERE guest_id = $1")

  private static let recordMerge = PostgresStatement(
    "merge_record",
    """
    WITH merge AS (
      INSERT INTO cart_merges (guest_id, user_id, strategy, inbox_number, has_orders)
      VALUES ($1, $2, $3, next_generation($4),
        EXISTS (SELECT FROM placed_orders WHERE owner_kind = 'guest' AND owner_id = $1))
      ON CONFLICT DO NOTHING
      RETURNING inbox_number
    ), command AS (
      INSERT INTO cart_inbox (owner_kind, owner_id, number, previous, action, payload, request_id)
      SELECT 'user', $2, inbox_number, $4, $5, $6::jsonb, $7 FROM merge
    ), guest AS (
      UPDATE carts SET state = 2, merged_into = $2, lines = '[]', currency = NULL, retry_ring = '',
        epoch = next_generation(epoch), updated_at = now(), synced_at = now()
      FROM merge WHERE owner_kind = 'guest' AND owner_id = $1
    ), followed AS (
      DELETE FROM cart_inbox i USING merge WHERE i.owner_kind = 'guest' AND i.owner_id = $1
    ), orders AS (
      UPDATE placed_orders SET owner_kind = 'user', owner_id = $2
      FROM merge WHERE owner_kind = 'guest' AND owner_id = $1
    )
    UPDATE carts SET inbox_number = merge.inbox_number FROM merge
    WHERE owner_kind = 'user' AND owner_id = $2
    RETURNING merge.inbox_number
    """)

  /// A guest's end is at most a lifetime after the merge; a day more, as his cart's row is kept.
  static let removeOldMerges = PostgresStatement(
    "merge_remove_old",
    """
    DELETE FROM cart_merges WHERE guest_id IN (
      (SELECT guest_id FROM cart_merges
        WHERE NOT has_orders AND merged_at < now() - \(guestLifetime) - interval '1 day'
        ORDER BY merged_at LIMIT $2::bigint)
      UNION ALL
      (SELECT guest_id FROM cart_merges
        WHERE has_orders AND merged_at < now() - \(guestLifetime) - interval '1 day'
          AND merged_at < now() - $1::integer * interval '1 day'
        ORDER BY merged_at LIMIT $2::bigint)
      LIMIT $2::bigint
    )
    """)

  static let beingMerged = PostgresStatement(
    "merge_unfinished",
    """
    SELECT owner_id FROM carts
    WHERE state = 1 AND owner_kind = 'guest' AND owner_id > $2
      AND synced_at < now() - $1::integer * interval '1 millisecond'
    ORDER BY owner_id LIMIT $3
    """)
}
