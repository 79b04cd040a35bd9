package import CartDomain

/// The stock of a SKU after it has changed.
package struct StockMovement: Equatable, Sendable {
  package var sku: SKU
  /// Pieces left; `nil` where it is not counted any more.
  package var stock: Int?
  /// Grows with each movement of this SKU's stock.
  package var moved: Int64
}

extension StockMovement {
  /// Reads SKU, stock and number from three columns; rows without a SKU are passed over.
  static func all(in rows: borrowing PostgresResult, from column: Int = 0) throws(StoreError) -> [StockMovement] {
    var movements: [StockMovement] = []
    for row in 0..<rows.rowCount {
      guard let name = rows.text(row, column) else { continue }
      guard let sku = SKU(name), let moved = rows.integer(row, column + 2) else {
        throw StoreError(.corrupt, "PostgreSQL: a movement of stock can't be read")
      }
      movements.append(StockMovement(sku: sku, stock: rows.integer(row, column + 1).map(Int.init), moved: moved))
    }
    return movements
  }
}
