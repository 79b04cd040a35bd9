package import CartDomain

/// The catalogue in PostgreSQL, which owns it and the stock.
package final class PostgresCatalogue: CatalogueSource {
  let connection: PostgresConnection

  package init(_ connection: PostgresConnection) {
    self.connection = connection
  }

  package func products(for skus: [SKU]) throws(StoreError) -> [Product?] {
    var found = [Product?](repeating: nil, count: skus.count)
    if skus.isEmpty { return found }
    let rows = try query(Self.products, [.texts(skus.map(\.text))])
    for row in 0..<rows.rowCount {
      guard let position = rows.integer(row, 0), (1...Int64(skus.count)).contains(position) else { throw Self.corrupt }
      found[Int(position) - 1] = try Self.product(rows, row)
    }
    return found
  }

  package func revisions(_ ids: [RevisionID]) throws(StoreError) -> [ProductRevision?] {
    var found = [ProductRevision?](repeating: nil, count: ids.count)
    if ids.isEmpty { return found }
    let rows = try query(Self.revisions, [.texts(ids.map(\.text))])
    for row in 0..<rows.rowCount {
      guard let position = rows.integer(row, 0), (1...Int64(ids.count)).contains(position) else { throw Self.corrupt }
      found[Int(position) - 1] = try Self.revision(rows, row)
    }
    return found
  }

  package func catalogueVersion() throws(StoreError) -> Int64 {
    let rows = try query(Self.catalogueVersion, [])
    guard rows.rowCount == 1, let catalogueVersion = rows.integer(0, 0) else { throw Self.corrupt }
    return catalogueVersion
  }

  package func changed(
    after place: CataloguePlace
  ) throws(StoreError) -> (products: [Product], next: CataloguePlace?) {
    let rows = try query(
      Self.changed, [.integer(place.catalogueVersion), .text(place.sku), .integer(Self.batchSize)])
    var products: [Product] = []
    products.reserveCapacity(rows.rowCount)
    for row in 0..<rows.rowCount { products.append(try Self.product(rows, row)) }
    guard rows.rowCount == Self.batchSize, let last = products.last else { return (products, nil) }
    guard let catalogueVersion = rows.integer(rows.rowCount - 1, 0) else { throw Self.corrupt }
    return (products, CataloguePlace(catalogueVersion: catalogueVersion, sku: last.content.sku.text))
  }

  private static let batchSize = 500

  // MARK: Rows

  static let corrupt = StoreError(.corrupt, "PostgreSQL: a row of the catalogue can't be read")

  /// Everything here may be done twice, so that no outcome is in doubt.
  func query(
    _ statement: PostgresStatement, _ parameters: [PostgresParameter]
  ) throws(StoreError) -> PostgresResult {
    do throws(PostgresError) {
      return try connection.query(statement, parameters)
    } catch {
      throw error.withKnownOutcome.storeError
    }
  }

  private static func product(_ rows: borrowing PostgresResult, _ row: Int) throws(StoreError) -> Product {
    let revision = try revision(rows, row)
    let stock = rows.integer(row, 15)
    guard stock.map({ $0 >= 0 }) ?? true else { throw corrupt }
    return Product(
      revision: revision, stock: stock.map(Int.init), catalogueVersion: rows.integer(row, 16) ?? 0,
      moved: rows.integer(row, 17) ?? 0)
  }

  /// Reads ``columns``, which stand behind one other column.
  private static func revision(_ rows: borrowing PostgresResult, _ row: Int) throws(StoreError) -> ProductRevision {
    guard let id = rows.text(row, 1).flatMap({ RevisionID($0) }), let sku = rows.text(row, 2).flatMap({ SKU($0) }),
      let merchant = rows.text(row, 3).flatMap({ MerchantID($0) }), let name = rows.text(row, 4),
      let price = rows.integer(row, 6), (0...ProductRevision.Content.maximumUnitPrice).contains(price),
      let currency = rows.text(row, 7).flatMap({ Currency($0) }), let isActive = rows.boolean(row, 14)
    else { throw corrupt }
    return ProductRevision(
      id: id,
      content: ProductRevision.Content(
        sku: sku, merchantID: merchant, name: name, picture: rows.text(row, 5),
        unitPrice: Money(minorUnits: price, currency: currency), purchaseLimit: rows.integer(row, 8).map(Int.init),
        customerLimit: rows.integer(row, 9).map(Int.init), minimumQuantity: rows.integer(row, 10).map(Int.init),
        quantityStep: rows.integer(row, 11).map(Int.init),
        availableFrom: rows.integer(row, 12).map { Timestamp(milliseconds: $0) },
        availableUntil: rows.integer(row, 13).map { Timestamp(milliseconds: $0) }, isActive: isActive))
  }

  // MARK: SQL

  private static let columns = """
    r.revision, r.sku, r.merchant_id, r.name, r.picture, r.unit_price, r.currency, r.purchase_limit,
    r.customer_limit, r.minimum_quantity, r.quantity_step, (extract(epoch FROM r.available_from) * 1000)::bigint,
    (extract(epoch FROM r.available_until) * 1000)::bigint, r.active
    """

  private static let products = PostgresStatement(
    "catalogue_products",
    """
    SELECT w.position, \(columns), s.stock, p.generation, s.moved
    FROM unnest($1::text[]) WITH ORDINALITY AS w (sku, position)
    JOIN products p ON p.sku = w.sku
    JOIN product_revisions r ON r.revision = p.revision
    LEFT JOIN product_stock s ON s.sku = p.sku
    """)

  private static let revisions = PostgresStatement(
    "catalogue_revisions",
    """
    SELECT w.position, \(columns)
    FROM unnest($1::text[]) WITH ORDINALITY AS w (revision, position)
    JOIN product_revisions r ON r.revision = w.revision
    """)

  private static let catalogueVersion = PostgresStatement(
    "catalogue_generation", "SELECT generation FROM catalogue_state WHERE is_only_row")

  private static let changed = PostgresStatement(
    "catalogue_changed",
    """
    SELECT p.generation, \(columns), s.stock, p.generation, s.moved
    FROM products p
    JOIN product_revisions r ON r.revision = p.revision
    LEFT JOIN product_stock s ON s.sku = p.sku
    WHERE (p.generation, p.sku) > ($1, $2)
    ORDER BY p.generation, p.sku
    LIMIT $3
    """)
}

extension PostgresCatalogue: Catalogue {
  package func exactProducts(for skus: [SKU]) throws(StoreError) -> [Product?] { try products(for: skus) }
}
