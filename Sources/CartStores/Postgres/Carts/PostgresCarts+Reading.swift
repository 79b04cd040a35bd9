package import CartDomain

extension PostgresCarts {
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

  // MARK: Statements

  static let row = PostgresStatement(
    "cart_row", "SELECT \(CartRow.columns) FROM carts c WHERE c.owner_kind = $1 AND c.owner_id = $2")

  static let commands = PostgresStatement(
    "cart_commands",
    """
    SELECT owner_kind, owner_id, number, previous, action, payload, request_id FROM cart_inbox
    WHERE owner_kind = $1 AND owner_id = $2 AND number > $3 ORDER BY number
    """)

  static let waiting = PostgresStatement(
    "cart_commands_waiting",
    """
    SELECT owner_kind, owner_id, (extract(epoch FROM created_at) * 1000000)::bigint FROM cart_inbox
    WHERE created_at <= now() - $1::integer * interval '1 millisecond'
      AND created_at > timestamptz 'epoch' + $2::bigint * interval '1 microsecond'
    ORDER BY created_at LIMIT $3
    """)

  private static let servable = """
    (owner_kind, owner_id) > ($1, $2) AND state <> 2 AND (expires_at IS NULL OR expires_at > now())
      AND (version > 0 OR inbox_number > inbox_applied)
    """

  static let page = PostgresStatement(
    "cart_page",
    "SELECT owner_kind, owner_id FROM carts WHERE \(servable) ORDER BY owner_kind, owner_id LIMIT $3")

  static let pageCount = PostgresStatement("cart_page_count", "SELECT count(*) FROM carts WHERE \(servable)")
}
