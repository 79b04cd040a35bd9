extension PostgresOrders {
  /// `$1`, `$2` owner, `$3` key, `$4` hash of the request. The look-up may be older than the lock, by a moment: then
  /// ``place`` finds the key used.
  static let claimKey = PostgresStatement(
    "order_claim",
    """
    SELECT pg_try_advisory_xact_lock(hashtextextended(current_schema() || ' order ' || $1 || ':' || $2 || ':' || $3, 0)),
      k.order_id, k.request = $4::bytea
    FROM (VALUES (1)) AS one
    LEFT JOIN LATERAL (
      SELECT order_id, request, owner_kind = $1 AND owner_id = $2 AS is_own FROM order_keys
      WHERE key = $3 AND (owner_kind = $1 AND owner_id = $2 OR $1 = 'user' AND owner_kind = 'guest'
        AND request = $4::bytea
        AND EXISTS (SELECT FROM cart_merges m WHERE m.guest_id = order_keys.owner_id AND m.user_id = $2))
      ORDER BY is_own DESC LIMIT 1
    ) AS k ON true
    """)

  static let lastCommand = PostgresStatement(
    "order_last_command", "SELECT inbox_number FROM carts WHERE owner_kind = $1 AND owner_id = $2")

  static let lockProducts = PostgresStatement(
    "order_lock_products",
    """
    SELECT sku, revision, stock, (SELECT inbox_number FROM carts WHERE owner_kind = $2 AND owner_id = $3),
      (SELECT max(number) FROM redis_lineages)
    FROM products WHERE sku = ANY ($1::text[]) ORDER BY sku FOR NO KEY UPDATE
    """)

  static let purchases = PostgresStatement(
    "order_purchases",
    """
    SELECT l.sku, sum(l.quantity) FROM placed_orders o JOIN placed_lines l USING (order_id)
    WHERE o.owner_kind = $1 AND o.owner_id = $2 AND o.status <> 'cancelled' AND l.sku = ANY ($3::text[])
    GROUP BY l.sku
    """)

  /// Everything that an order writes, in one statement; nothing where the key is used up.
  static let place = PostgresStatement(
    "order_place",
    """
    WITH claimed AS (
      INSERT INTO order_keys (key, owner_kind, owner_id, request, order_id)
      VALUES ($12, $2, $3, $13::bytea, $1)
      ON CONFLICT DO NOTHING
      RETURNING order_id
    ), placed AS (
      INSERT INTO placed_orders (order_id, owner_kind, owner_id, currency, total, client_data)
      SELECT order_id, $2, $3, $4, $5, $6 FROM claimed
      RETURNING placed_at
    ), lines AS (
      SELECT * FROM unnest($7::text[], $8::integer[], $9::text[], $10::boolean[], $11::text[])
        WITH ORDINALITY AS l (sku, quantity, revision, is_counted, client_data, position)
    ), kept AS (
      INSERT INTO placed_lines (order_id, sku, position, revision, quantity, is_counted, client_data)
      SELECT order_id, sku, position, revision, quantity, is_counted, client_data FROM claimed, lines
    ), moved AS (
      UPDATE products p SET stock = p.stock - l.quantity,
        moved = next_generation(greatest(p.generation, p.moved)), updated_at = now()
      FROM lines l, claimed
      WHERE p.sku = l.sku AND l.is_counted AND p.stock >= l.quantity
      RETURNING p.sku, p.stock, p.moved
    ), numbered AS (
      UPDATE carts SET inbox_number = next_generation($14::bigint) FROM claimed
      WHERE owner_kind = $2 AND owner_id = $3
      RETURNING inbox_number
    ), commanded AS (
      INSERT INTO cart_inbox (owner_kind, owner_id, number, previous, action, payload, request_id)
      SELECT $2, $3, inbox_number, $14::bigint, $15, $16::jsonb, $17 FROM numbered
    )
    SELECT (extract(epoch FROM placed_at) * 1000000)::bigint, inbox_number, moved.sku, moved.stock, moved.moved
    FROM placed CROSS JOIN numbered LEFT JOIN moved ON true
    """)

  /// Not worth waiting for the disk: whoever finds none notes one.
  static let noteVersion = PostgresStatement(
    "order_note_version",
    """
    UPDATE placed_orders SET cart_version = coalesce(cart_version, $2)
    WHERE order_id = $1 AND set_config('synchronous_commit', 'off', true) IS NOT NULL
    RETURNING cart_version
    """)

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

  static let lockOrdered = PostgresStatement(
    "order_lock_ordered",
    """
    SELECT p.sku FROM products p
    WHERE p.sku IN (SELECT sku FROM placed_lines WHERE order_id = $1 AND is_counted)
    ORDER BY p.sku FOR NO KEY UPDATE OF p
    """)

  /// A stock that is not counted any more stays so.
  static let cancel = PostgresStatement(
    "order_cancel",
    """
    WITH cancelled AS (
      UPDATE placed_orders SET status = 'cancelled', moved_at = clock_timestamp() WHERE order_id = $1
      RETURNING order_id
    )
    UPDATE products p SET stock = least(p.stock::bigint + l.quantity, 2147483647),
      moved = next_generation(greatest(p.generation, p.moved)), updated_at = now()
    FROM cancelled c JOIN placed_lines l USING (order_id)
    WHERE p.sku = l.sku AND l.is_counted AND p.stock IS NOT NULL
    RETURNING p.sku
    """)

  static let recentlyMoved = PostgresStatement(
    "order_recently_moved",
    """
    SELECT DISTINCT l.sku FROM placed_orders o JOIN placed_lines l USING (order_id)
    WHERE o.moved_at > now() - $1::bigint * interval '1 millisecond' AND l.is_counted
    """)
}
