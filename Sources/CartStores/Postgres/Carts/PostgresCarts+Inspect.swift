import CartDomain

extension PostgresCarts {
  func seen(_ owner: CartOwner) throws(StoreError) -> (row: CartRow, syncedAt: Timestamp?)? {
    let rows = try run(Self.seen, [.text(owner.kind), .text(owner.id)])
    if rows.rowCount == 0 { return nil }
    return (try CartRow(rows, 0), rows.integer(0, 16).map { Timestamp(milliseconds: $0) })
  }

  private static let seen = PostgresStatement(
    "cart_seen",
    """
    SELECT \(CartRow.columns), (extract(epoch FROM c.synced_at) * 1000)::bigint
    FROM carts c WHERE c.owner_kind = $1 AND c.owner_id = $2
    """)
}
