internal import CartDomain

/// Changes of the catalogue, gathered beside it in a temporary table and then applied at once. All within the caller's
/// transaction, which locks nothing that shoppers' orders lock: what is sold changes with it, and the stock of products
/// whose stock is counted is put into a journal, from which it follows (``PostgresCatalogue/applyStockChanges(limit:)``).
struct PostgresCatalogueStaging {
  struct Applied {
    var products: Int
    var added: Int
    var changed: Int
    /// Of the catalogue, after it.
    var catalogueVersion: Int64
    /// The last change of stock that is to follow; `nil` where there is none.
    var lastStockChange: Int64?
  }

  private let connection: PostgresConnection

  init(_ connection: PostgresConnection) {
    self.connection = connection
  }

  /// Waits for whoever else is gathering changes, and begins with none.
  func open() throws(PostgresError) {
    _ = try connection.query(
      Self.lock, [.text("cartd catalogue of " + connection.configuration.schema)])
    try connection.execute(Self.createTable, label: "stage")
  }

  /// Lays `patches`, of which no two speak of one SKU, over what the catalogue and former calls say.
  ///
  /// - Returns: the lines that leave a product incomplete. They are laid down all the same: the caller rolls back.
  func stage(_ patches: [ProductPatch]) throws(PostgresError) -> [ImportProblem] {
    _ = try connection.query(Self.bring, [.texts(patches.map(\.sku.text))])
    let rows = try connection.query(Self.overlay, Self.columns(patches))
    return (0..<rows.rowCount).map { row in
      var faults: [String] = []
      if let missing = rows.text(row, 1), !missing.isEmpty {
        faults.append("missing, and the SKU is new: \(missing)")
      }
      if rows.boolean(row, 2) == true { faults.append("availableUntil: not after availableFrom") }
      return ImportProblem(line: Int(rows.integer(row, 0) ?? 0), reason: faults.joined(separator: "; "))
    }
  }

  /// Those of `skus` that the catalogue does not have.
  func unknown(_ skus: [SKU]) throws(PostgresError) -> [SKU] {
    let rows = try connection.query(Self.unknown, [.texts(skus.map(\.text))])
    return (0..<rows.rowCount).compactMap { row in rows.text(row, 0).flatMap { SKU($0) } }
  }

  /// Changes the catalogue. A product whose content stays as it is keeps its catalogue version.
  func apply() throws(PostgresError) -> Applied {
    try connection.execute(Self.nameRevisions, label: "name revisions")
    _ = try connection.query(Self.keepRevisions)
    let products = Int(try connection.query(Self.count).integer(0, 0) ?? 0)
    let changed = Int(try connection.query(Self.countChanged).integer(0, 0) ?? 0)
    let lastStockChange = try connection.query(Self.noteStock).integer(0, 0)
    let state = try connection.query(Self.lockState)
    guard let last = state.integer(0, 0), let next = state.integer(0, 1) else {
      throw PostgresError("PostgreSQL: no catalogue_state")
    }
    let updated = try connection.query(Self.update, [.integer(next)]).affectedRows
    let added = try connection.query(Self.insert, [.integer(next)]).affectedRows
    _ = try connection.query(Self.beginStock)
    let isChanged = updated + added > 0
    if isChanged { _ = try connection.query(Self.raiseCatalogueVersion, [.integer(next)]) }
    return Applied(
      products: products, added: added, changed: changed, catalogueVersion: isChanged ? next : last,
      lastStockChange: lastStockChange)
  }

  private static func columns(_ patches: [ProductPatch]) -> [PostgresParameter] {
    func integers(_ field: KeyPath<ProductFields, Int?>) -> PostgresParameter {
      .integers(patches.map { $0.fields[keyPath: field].map(Int64.init) })
    }
    return [
      .integers(patches.map { Int64($0.line) }), .texts(patches.map(\.sku.text)),
      .integers(patches.map(\.fields.given)), .texts(patches.map(\.fields.merchantID?.text)),
      .texts(patches.map(\.fields.name)), .texts(patches.map(\.fields.picture)), integers(\.unitPrice),
      .texts(patches.map(\.fields.currency?.code)), integers(\.stock), integers(\.purchaseLimit),
      integers(\.customerLimit), integers(\.minimumQuantity), integers(\.quantityStep),
      .integers(patches.map(\.fields.availableFrom?.milliseconds)),
      .integers(patches.map(\.fields.availableUntil?.milliseconds)), .booleans(patches.map(\.fields.isActive)),
    ]
  }

  // MARK: SQL

  private static let lock = PostgresStatement(
    "catalogue_lock", "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")

  private static let unknown = PostgresStatement(
    "catalogue_unknown",
    "SELECT i.sku FROM unnest($1::text[]) AS i (sku) WHERE NOT EXISTS (SELECT FROM products p WHERE p.sku = i.sku)")

  // A plan made while the table was empty would read all of it for every batch.
  private static let createTable = """
    SET LOCAL plan_cache_mode TO force_custom_plan;
    CREATE TEMPORARY TABLE staged (
      sku text COLLATE "C" PRIMARY KEY, revision text COLLATE "C", merchant_id text, name text, picture text,
      unit_price bigint, currency text, stock integer, has_stock boolean NOT NULL DEFAULT false,
      purchase_limit integer, customer_limit integer, minimum_quantity integer, quantity_step integer,
      available_from timestamptz, available_until timestamptz, active boolean
    ) ON COMMIT DROP
    """

  private static let bring = PostgresStatement(
    "stage_bring",
    """
    INSERT INTO staged (sku, merchant_id, name, picture, unit_price, currency, purchase_limit, customer_limit,
      minimum_quantity, quantity_step, available_from, available_until, active)
    SELECT i.sku, coalesce(r.merchant_id, 'main'), r.name, r.picture, r.unit_price, r.currency, r.purchase_limit,
      r.customer_limit, r.minimum_quantity, r.quantity_step, r.available_from, r.available_until,
      coalesce(r.active, true)
    FROM unnest($1::text[]) AS i (sku)
    LEFT JOIN products p ON p.sku = i.sku
    LEFT JOIN product_revisions r ON r.revision = p.revision
    ON CONFLICT (sku) DO NOTHING
    """)

  private static let overlay = PostgresStatement(
    "stage_overlay",
    """
    WITH input AS (
      SELECT line, sku, given, merchant_id, name, picture, unit_price, currency, stock, purchase_limit, customer_limit,
        minimum_quantity, quantity_step, active,
        timestamptz 'epoch' + available_from / 1000 * interval '1 second'
          + available_from % 1000 * interval '1 millisecond' AS available_from,
        timestamptz 'epoch' + available_until / 1000 * interval '1 second'
          + available_until % 1000 * interval '1 millisecond' AS available_until
      FROM unnest($1::bigint[], $2::text[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[],
        $9::integer[], $10::integer[], $11::integer[], $12::integer[], $13::integer[], $14::bigint[], $15::bigint[],
        $16::boolean[])
        AS i (line, sku, given, merchant_id, name, picture, unit_price, currency, stock, purchase_limit,
          customer_limit, minimum_quantity, quantity_step, available_from, available_until, active)
    ), laid AS (
      UPDATE staged s SET
        \(overlaid(.merchantID, "merchant_id", cleared: "'main'")),
        \(overlaid(.name, "name")),
        \(overlaid(.picture, "picture")),
        \(overlaid(.unitPrice, "unit_price")),
        \(overlaid(.currency, "currency")),
        \(overlaid(.stock, "stock")),
        has_stock = s.has_stock OR i.given & \(CatalogueKey.stock.bit) <> 0,
        \(overlaid(.purchaseLimit, "purchase_limit")),
        \(overlaid(.customerLimit, "customer_limit")),
        \(overlaid(.minimumQuantity, "minimum_quantity")),
        \(overlaid(.quantityStep, "quantity_step")),
        \(overlaid(.availableFrom, "available_from")),
        \(overlaid(.availableUntil, "available_until")),
        \(overlaid(.active, "active", cleared: "true"))
      FROM input i
      WHERE s.sku = i.sku
      RETURNING i.line, concat_ws(', ', CASE WHEN s.name IS NULL THEN 'name' END,
          CASE WHEN s.unit_price IS NULL THEN 'unitPrice' END, CASE WHEN s.currency IS NULL THEN 'currency' END)
        AS missing, s.available_from >= s.available_until AS is_window_empty
    )
    SELECT line, missing, is_window_empty FROM laid WHERE missing <> '' OR is_window_empty
    """)

  /// The column's new value: the line's where it gives the key, `cleared` where it gives it without a value.
  private static func overlaid(_ key: CatalogueKey, _ column: String, cleared: String? = nil) -> String {
    let value = cleared.map { "coalesce(i.\(column), \($0))" } ?? "i.\(column)"
    return "\(column) = CASE WHEN i.given & \(key.bit) = 0 THEN s.\(column) ELSE \(value) END"
  }

  private static let content = """
    sku, merchant_id, name, picture, unit_price, currency, purchase_limit, customer_limit, minimum_quantity,
    quantity_step, available_from, available_until, active
    """

  private static let nameRevisions = """
    UPDATE staged SET revision = product_revision_id(\(content));
    ANALYZE staged
    """

  /// The stock as it will be once all that is in the journal has followed; a product without a row was never counted.
  private static let coming = """
    coming AS (
      SELECT t.sku, CASE WHEN j.sku IS NULL THEN t.stock ELSE \(PostgresCatalogue.following("j", "t")) END AS stock
      FROM product_stock t
      LEFT JOIN (SELECT \(PostgresCatalogue.joined) FROM stock_changes GROUP BY sku) AS j USING (sku)
    )
    """

  /// Stock that is counted for the first time is there at once: no order locks a row that does not exist.
  private static let beginsStock = """
    (s.stock IS NOT NULL AND NOT EXISTS (SELECT FROM product_stock t WHERE t.sku = s.sku))
    """

  private static let countChanged = PostgresStatement(
    "stage_count_changed",
    """
    WITH \(coming)
    SELECT count(*) FROM staged s JOIN products p ON p.sku = s.sku LEFT JOIN coming c ON c.sku = s.sku
    WHERE p.revision <> s.revision OR s.has_stock AND s.stock IS DISTINCT FROM c.stock
    """)

  private static let noteStock = PostgresStatement(
    "stage_note_stock",
    """
    WITH \(coming), noted AS (
      INSERT INTO stock_changes (sku, stock, basis)
      SELECT s.sku, s.stock, c.stock FROM staged s JOIN coming c ON c.sku = s.sku
      WHERE s.has_stock AND s.stock IS DISTINCT FROM c.stock
      ORDER BY s.sku
      RETURNING id
    )
    SELECT max(id) FROM noted
    """)

  private static let beginStock = PostgresStatement(
    "stage_begin_stock",
    """
    INSERT INTO product_stock (sku, stock, moved)
    SELECT s.sku, s.stock, next_generation(0) FROM staged s WHERE \(beginsStock)
    """)

  private static let lockState = PostgresStatement(
    "stage_lock_state", "SELECT generation, next_generation(generation) FROM catalogue_state FOR UPDATE")

  private static let keepRevisions = PostgresStatement(
    "stage_keep_revisions",
    """
    INSERT INTO product_revisions (revision, \(content))
    SELECT revision, \(content) FROM staged
    ON CONFLICT (revision) DO NOTHING
    """)

  private static let update = PostgresStatement(
    "stage_update",
    """
    UPDATE products p SET revision = s.revision, generation = $1, updated_at = now()
    FROM staged s
    WHERE s.sku = p.sku AND (p.revision <> s.revision OR \(beginsStock))
    """)

  private static let insert = PostgresStatement(
    "stage_insert",
    """
    INSERT INTO products (sku, revision, generation, updated_at)
    SELECT s.sku, s.revision, $1, now() FROM staged s
    WHERE NOT EXISTS (SELECT FROM products p WHERE p.sku = s.sku)
    """)

  private static let raiseCatalogueVersion = PostgresStatement(
    "stage_raise_generation", "UPDATE catalogue_state SET generation = $1")

  private static let count = PostgresStatement("stage_count", "SELECT count(*) FROM staged")
}
