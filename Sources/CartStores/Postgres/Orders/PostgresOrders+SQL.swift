extension PostgresOrders {
  /// Takes hold of a key: whether it is held now, the order that it has led to, and whether for the same request. The
  /// look-up may be older than the lock, by a moment: then ``place`` finds the key used.
  ///
  /// Many owners may use the same key: it is looked up together with its owner alone, and with each of the guests that
  /// were merged into him. The limits keep PostgreSQL from turning that round.
  private static func claim(kind: String, id: String, key: String, request: String) -> String {
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

  static let claimKey = PostgresStatement("order_claim", claim(kind: "$1", id: "$2", key: "$3", request: "$4"))

  /// All that comes before an order is judged: takes hold of its key, and where that is free, persists the cart and
  /// reads what is sold. Only the cart's row is locked. Parameters 1 to 14 are the cart's, 15 and 16 its owner, 17 the
  /// key, 18 the request's hash, 19 the SKUs.
  static let ground = PostgresStatement(
    "order_inputs",
    """
    WITH claim AS MATERIALIZED (\(claim(kind: "$15", id: "$16", key: "$17", request: "$18"))),
    copies AS (\(PostgresCarts.copies) WHERE (SELECT is_held AND order_id IS NULL FROM claim)),
    written AS (\(PostgresCarts.writeCopies) RETURNING inbox_number),
    offers AS (
      SELECT p.sku, p.revision, s.stock FROM products p LEFT JOIN product_stock s ON s.sku = p.sku
      WHERE p.sku = ANY ($19::text[]) AND EXISTS (SELECT FROM written)
    )
    SELECT is_held, order_id, is_same, inbox_number, (SELECT max(number) FROM redis_lineages), sku, revision, stock
    FROM claim LEFT JOIN written ON true LEFT JOIN offers ON true
    """)

  static let purchases = PostgresStatement(
    "order_purchases",
    """
    SELECT l.sku, sum(l.quantity) FROM placed_orders o JOIN placed_lines l USING (order_id)
    WHERE o.owner_kind = $1 AND o.owner_id = $2 AND o.status <> 'cancelled' AND l.sku = ANY ($3::text[])
    GROUP BY l.sku
    """)

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

  // MARK: Reading

  /// What ``order(_:_:)`` reads.
  static let columns = """
    o.order_id, o.owner_kind, o.owner_id, o.status, o.currency, o.total, o.client_data,
    (extract(epoch FROM o.placed_at) * 1000000)::bigint, o.cart_version
    """

  static let one = PostgresStatement(
    "order_one", "SELECT \(columns) FROM placed_orders o WHERE o.order_id = $1")

  static let page = PostgresStatement(
    "order_page",
    """
    SELECT \(columns) FROM placed_orders o
    WHERE o.owner_kind = $1 AND o.owner_id = $2 AND ($3::bigint IS NULL
      OR (o.placed_at, o.order_id)
        < (timestamptz 'epoch' + $3::bigint / 1000000 * interval '1 second' + $3::bigint % 1000000 * interval '1 microsecond', $4))
    ORDER BY o.placed_at DESC, o.order_id DESC LIMIT $5
    """)

  static let lines = PostgresStatement(
    "order_lines",
    """
    SELECT w.position, l.sku, r.merchant_id, r.name, r.picture, l.quantity, r.unit_price, l.client_data
    FROM unnest($1::text[]) WITH ORDINALITY AS w (order_id, position)
    JOIN placed_lines l ON l.order_id = w.order_id
    JOIN product_revisions r ON r.revision = l.revision
    ORDER BY w.position, l.position
    """)

  // MARK: Changing the status

  /// `$2` seconds after which an order is old.
  static let lockOrder = PostgresStatement(
    "order_lock",
    """
    SELECT \(columns), clock_timestamp() - o.placed_at > $2::bigint * interval '1 second'
    FROM placed_orders o WHERE o.order_id = $1 FOR UPDATE
    """)

  static let accept = PostgresStatement(
    "order_accept", "UPDATE placed_orders SET status = 'accepted' WHERE order_id = $1")

  /// Cancels an order that is locked, and gives its stock back. A stock that is not counted any more stays so.
  static let cancel = PostgresStatement(
    "order_cancel", waitsForLocks: true,
    """
    WITH cancelled AS (
      UPDATE placed_orders SET status = 'cancelled' WHERE order_id = $1
    ), lines AS (
      SELECT sku, quantity FROM placed_lines WHERE order_id = $1 AND is_counted
    ), given AS (
      SELECT s.sku FROM product_stock s WHERE s.sku IN (SELECT sku FROM lines) ORDER BY s.sku FOR NO KEY UPDATE
    )
    UPDATE product_stock s SET stock = least(s.stock::bigint + l.quantity, 2147483647),
      moved = next_generation(s.moved)
    FROM given g JOIN lines l ON l.sku = g.sku
    WHERE s.sku = g.sku AND s.stock IS NOT NULL
    RETURNING s.sku, s.stock, s.moved
    """)

  // MARK: Keeping house

  static let removeOldKeys = PostgresStatement(
    "order_remove_old_keys",
    """
    DELETE FROM order_keys WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM order_keys WHERE created_at < now() - $1::bigint * interval '1 day'
      ORDER BY created_at LIMIT $2))
    """)
}
