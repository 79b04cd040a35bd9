import CartDomain

extension PostgresOrders {
  /// An order that is to be written, with all that goes with it.
  struct Draft {
    var order: Order
    /// One for each line of the order, as they are before it.
    var products: [Product]
    var key: OrderKey
    var command: CartCommand
    /// The last command of the cart.
    var lastCommand: Int64
    var requestID: String
  }

  /// What was written.
  struct Written {
    var order: Order
    var command: InboxCommand
    /// The stock that went down.
    var moved: [StockMovement]
  }

  /// What became of an order that was to be written.
  enum Writing {
    case written(Written)
    /// The key was used up after all, while it was being claimed.
    case keyUsed
    /// Of something less is left than was read: what was written must not stay.
    case stockGone
  }

  /// Writes an order: stock goes down, the key is used up, and the cart is commanded to let go of the lines.
  func write(_ draft: Draft) throws(StoreError) -> Writing {
    let order = draft.order
    let skus = order.lines.map { Optional($0.sku.text) }
    let rows = try archive.run(
      Self.place,
      [
        .text(order.id.text), .text(order.owner.kind), .text(order.owner.id), .text(order.total.currency.code),
        .integer(order.total.minorUnits), .text(order.clientData.map { String(decoding: $0, as: UTF8.self) }),
        .texts(skus), .integers(order.lines.map { Int64($0.quantity) }), .texts(draft.products.map(\.revision.id.text)),
        .booleans(draft.products.map { $0.stock != nil }),
        .texts(order.lines.map { $0.clientData.map { String(decoding: $0, as: UTF8.self) } }),
        .text(draft.key.text), .text(Self.hex(draft.key.request)), .integer(draft.lastCommand),
        .text(draft.command.action), .text(draft.command.payload), .text(draft.requestID), .integer(order.cartVersion),
      ])
    if rows.rowCount == 0 { return .keyUsed }
    var written = order
    guard let placed = rows.integer(0, 0), let number = rows.integer(0, 1) else { throw Self.corrupt }
    written.placedAt = Timestamp(milliseconds: placed / 1_000)
    let moved = try StockMovement.all(in: rows, from: 2)
    guard moved.count == draft.products.count(where: { $0.stock != nil }) else { return .stockGone }
    let command = InboxCommand(
      owner: order.owner, number: number, previous: draft.lastCommand, command: draft.command,
      requestID: draft.requestID)
    return .written(Written(order: written, command: command, moved: moved))
  }

  /// Corrects the version of the cart after an order.
  func note(cartVersion: Int64, of id: OrderID) throws(StoreError) {
    _ = try archive.run(Self.noteVersion, [.text(id.text), .integer(cartVersion)])
  }

  // MARK: Statements

  /// Everything that an order writes, in one statement; nothing where the key is used up. The stock comes last, and in
  /// the order of the SKUs, as everybody takes it who takes more than one: so a row of it is held for no longer than
  /// the commit takes, and nobody waits in a circle. Where less is left than is needed, its row is missing in the
  /// answer: then the transaction must not be committed.
  static let place = PostgresStatement(
    "order_place", waitsForLocks: true,
    """
    WITH claimed AS (
      INSERT INTO order_keys (key, owner_kind, owner_id, request, order_id)
      VALUES ($12, $2, $3, $13::bytea, $1)
      ON CONFLICT DO NOTHING
      RETURNING order_id
    ), placed AS (
      INSERT INTO placed_orders (order_id, owner_kind, owner_id, currency, total, client_data, cart_version)
      SELECT order_id, $2, $3, $4, $5, $6, $18 FROM claimed
      RETURNING placed_at
    ), lines AS (
      SELECT * FROM unnest($7::text[], $8::integer[], $9::text[], $10::boolean[], $11::text[])
        WITH ORDINALITY AS l (sku, quantity, revision, is_counted, client_data, position)
    ), kept AS (
      INSERT INTO placed_lines (order_id, sku, position, revision, quantity, is_counted, client_data)
      SELECT order_id, sku, position, revision, quantity, is_counted, client_data FROM claimed, lines
      RETURNING sku
    ), numbered AS (
      UPDATE carts SET inbox_number = next_generation($14::bigint) FROM claimed
      WHERE owner_kind = $2 AND owner_id = $3
      RETURNING inbox_number
    ), commanded AS (
      INSERT INTO cart_inbox (owner_kind, owner_id, number, previous, action, payload, request_id)
      SELECT $2, $3, inbox_number, $14::bigint, $15, $16::jsonb, $17 FROM numbered
      RETURNING number
    ), taken AS (
      SELECT s.sku FROM product_stock s
      -- The counts are there to have those rows written before these are locked.
      WHERE s.sku IN (SELECT sku FROM lines, (SELECT count(*) FROM kept) k, (SELECT count(*) FROM commanded) c
        WHERE is_counted AND EXISTS (SELECT FROM claimed))
      ORDER BY s.sku FOR NO KEY UPDATE
    ), moved AS (
      UPDATE product_stock s SET stock = s.stock - l.quantity, moved = next_generation(s.moved)
      FROM taken t JOIN lines l ON l.sku = t.sku
      WHERE s.sku = t.sku AND s.stock >= l.quantity
      RETURNING s.sku, s.stock, s.moved
    )
    SELECT (extract(epoch FROM placed_at) * 1000000)::bigint, inbox_number, moved.sku, moved.stock, moved.moved
    FROM placed CROSS JOIN numbered LEFT JOIN moved ON true
    """)

  static let noteVersion = PostgresStatement(
    "order_note_version", "UPDATE placed_orders SET cart_version = $2 WHERE order_id = $1")
}
