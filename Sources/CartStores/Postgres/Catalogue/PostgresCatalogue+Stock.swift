package import CartDomain

// The stock that an import has set, and the stock that has moved. Orders lock the rows of stock; so whoever changes many
// of them does it a few hundred at a time, and passes over those that somebody holds.

extension PostgresCatalogue {
  /// What ``applyStockChanges(limit:)`` did.
  package struct AppliedStock: Equatable, Sendable {
    /// The stock as it is now, to be made known.
    package var moved: [StockMovement]
    /// There is more to apply, or somebody else is applying it.
    package var hasMore: Bool
  }

  /// Applies the changes of stock that imports have left, the first ones first, in one short transaction.
  ///
  /// A row that an order holds is passed over, and its turn comes with the next call. Where there are no others left, one
  /// of them is waited for: the turn comes as it comes for an order. So a call holds no row that it is not changing.
  ///
  /// - Parameter limit: so many changes at most; some hundreds.
  /// - Throws: ``StoreError``; asking again is safe whatever became of it.
  package func applyStockChanges(limit: Int) throws(StoreError) -> AppliedStock {
    let slice = try applied(limit) { () throws(PostgresError) in
      try connection.query(Self.applyStock, [.integer(limit)])
    }
    if !slice.moved.isEmpty || !slice.hasMore { return slice }
    return try applied(limit) { () throws(PostgresError) in
      try connection.begin(lockTimeout: Self.patience)
      defer { connection.rollback() }
      let rows = try connection.query(Self.applyOneStock, [.integer(limit)])
      try connection.commit()
      return rows
    }
  }

  /// For the row of one stock, in milliseconds.
  private static let patience = 100

  private func applied(
    _ limit: Int, _ body: () throws(PostgresError) -> PostgresResult
  ) throws(StoreError) -> AppliedStock {
    let rows: PostgresResult
    do throws(PostgresError) {
      rows = try body()
    } catch {
      let error = error.withKnownOutcome.storeError
      guard error.code == .overloaded else { throw error }
      return AppliedStock(moved: [], hasMore: true)
    }
    let moved = try StockMovement.all(in: rows, from: 1)
    // `nil` where somebody else is at it.
    let found = rows.integer(0, 0).map(Int.init) ?? limit
    return AppliedStock(moved: moved, hasMore: found == limit || found > moved.count)
  }

  /// Whether the changes of stock up to this one have been applied.
  package func isStockApplied(through id: Int64) throws(StoreError) -> Bool {
    try query(Self.isStockWaiting, [.integer(id)]).boolean(0, 0) == false
  }

  /// A page of the stock that has moved, in the order of the movements.
  ///
  /// A movement gets its number some moments before it is committed: who looks for those since his last look goes back by
  /// as long as an order's transaction may take.
  ///
  /// - Parameters:
  ///   - moved: the number of the last movement that is known, or milliseconds since 1970.
  ///   - sku: of that movement.
  package func movedStock(after moved: Int64, _ sku: SKU? = nil, limit: Int) throws(StoreError) -> [StockMovement] {
    try StockMovement.all(in: query(Self.movedStock, [.integer(moved), .text(sku?.text ?? ""), .integer(limit)]))
  }

  /// PostgreSQL's clock, milliseconds since 1970: the one by which movements are numbered.
  package func clock() throws(StoreError) -> Int64 {
    guard let now = try query(Self.clock, []).integer(0, 0) else { throw Self.corrupt }
    return now
  }

  // MARK: SQL

  /// The changes of one stock as one: what the last one sets, and by how much all of them move a stock that is counted.
  static let joined = """
    sku, (array_agg(stock ORDER BY id DESC))[1] AS stock, bool_and(stock IS NOT NULL AND basis IS NOT NULL) AS is_counted,
    sum(stock - basis) AS difference
    """

  /// What becomes of a stock by ``joined`` changes: what was sold since an import has set it stays sold.
  static func following(_ changes: String, _ present: String) -> String {
    """
    CASE WHEN \(changes).is_counted AND \(present).stock IS NOT NULL
      THEN greatest(0, least(\(present).stock + \(changes).difference, 2147483647))::integer ELSE \(changes).stock END
    """
  }

  /// Those who apply changes do it one after the other, so that an earlier one never comes after a later one.
  ///
  /// - Parameters:
  ///   - wanted: SQL that chooses from the SKUs of `slice`.
  ///   - lock: how the rows of stock are locked.
  private static func applying(_ wanted: String, lock: String) -> String {
    """
    WITH turn AS MATERIALIZED (
      SELECT pg_try_advisory_xact_lock(hashtextextended('cartd stock of ' || current_schema(), 0)) AS is_ours
    ), slice AS MATERIALIZED (
      SELECT id, sku FROM stock_changes WHERE (SELECT is_ours FROM turn) ORDER BY id LIMIT $1
    ), wanted AS MATERIALIZED (
      \(wanted)
    ), held AS MATERIALIZED (
      SELECT t.sku FROM product_stock t WHERE t.sku IN (SELECT sku FROM wanted) ORDER BY t.sku
      FOR NO KEY UPDATE \(lock)
    ), done AS (
      DELETE FROM stock_changes c USING slice, held
      WHERE c.id = slice.id AND slice.sku = held.sku
      RETURNING c.id, c.sku, c.stock, c.basis
    ), moved AS (
      UPDATE product_stock t SET stock = \(following("d", "t")), moved = next_generation(t.moved)
      FROM (SELECT \(joined) FROM done GROUP BY sku) AS d
      WHERE t.sku = d.sku
      RETURNING t.sku, t.stock, t.moved
    )
    SELECT CASE WHEN is_ours THEN (SELECT count(*) FROM slice) END, moved.sku, moved.stock, moved.moved
    FROM turn LEFT JOIN moved ON true
    """
  }

  private static let applyStock = PostgresStatement(
    "stock_apply", applying("SELECT DISTINCT sku FROM slice", lock: "SKIP LOCKED"))

  /// Any of those that are left, so that one which is held for long does not stand before the others.
  private static let applyOneStock = PostgresStatement(
    "stock_apply_one", waitsForLocks: true, applying("SELECT sku FROM slice ORDER BY random() LIMIT 1", lock: ""))

  private static let isStockWaiting = PostgresStatement(
    "stock_waiting", "SELECT EXISTS (SELECT FROM stock_changes WHERE id <= $1)")

  private static let movedStock = PostgresStatement(
    "stock_moved",
    "SELECT sku, stock, moved FROM product_stock WHERE (moved, sku) > ($1, $2) ORDER BY moved, sku LIMIT $3")

  private static let clock = PostgresStatement(
    "stock_clock", "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
}
