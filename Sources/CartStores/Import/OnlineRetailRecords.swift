internal import CartDomain

/// Products out of the order lines of the "Online Retail" data set: each SKU once, with the price of its last row by
/// date (at equal dates the later row) and its first description that is not empty, or else the SKU.
///
/// Cancellations (invoices with a C) and rows whose quantity or price is not positive say nothing of a product.
final class OnlineRetailRecords: ImportRecords {
  private enum Column: String, CaseIterable {
    case invoice = "InvoiceNo"
    case sku = "StockCode"
    case description = "Description"
    case quantity = "Quantity"
    case date = "InvoiceDate"
    case price = "UnitPrice"
  }

  private struct Seen {
    var line: Int
    var date: RetailDate
    var pence: Int
    var description: String?
  }

  private let records: CSVRecords
  /// Where each column stands.
  private var positions: [Column: Int]?
  private var columnCount = 0
  private var isRead = false
  private var seen: [SKU: Seen] = [:]
  /// The SKUs in the order of their first row, last first.
  private var waiting: [SKU] = []
  private(set) var rowsRead = 0
  private(set) var skipped = ImportReport.Skipped()

  init(_ records: CSVRecords) { self.records = records }

  func next() throws(ImportError) -> ImportRecord? {
    if isRead { return patch() }
    guard let record = try records.next() else {
      isRead = true
      waiting.reverse()
      return positions == nil ? .problem(ImportProblem(line: 1, reason: "no header")) : patch()
    }
    guard let positions else { return readHeader(record) }
    rowsRead += 1
    switch record {
    case .problem(let problem): return .problem(problem)
    case .cells(let line, let cells):
      guard cells.count == columnCount else {
        let reason = "\(cells.count) cells where the header has \(columnCount)"
        return .problem(ImportProblem(line: line, reason: reason))
      }
      return read(line: line) { column in positions[column].map { cells[$0] } ?? "" }
    }
  }

  private func readHeader(_ record: CSVRecord) -> ImportRecord {
    // Whatever is wrong with the header, no line says anything without it.
    switch record {
    case .problem(let problem):
      isRead = true
      return .problem(problem)
    case .cells(let line, let cells):
      let missing = Column.allCases.filter { !cells.contains($0.rawValue) }
      guard missing.isEmpty else {
        isRead = true
        let reason = "missing in the header: " + missing.map(\.rawValue).joined(separator: ", ")
        return .problem(ImportProblem(line: line, reason: reason))
      }
      positions = Dictionary(
        uniqueKeysWithValues: Column.allCases.compactMap { column in
          cells.firstIndex(of: column.rawValue).map { (column, $0) }
        })
      columnCount = cells.count
      return .nothing
    }
  }

  private func read(line: Int, _ cell: (Column) -> String) -> ImportRecord {
    func problem(_ column: Column, _ reason: String) -> ImportRecord {
      .problem(ImportProblem(line: line, reason: "\(column.rawValue): \(reason)"))
    }
    if cell(.invoice).hasPrefix("C") {
      skipped.cancellations += 1
      return .nothing
    }
    guard let isQuantityPositive = RetailNumber.isPositive(integer: cell(.quantity)) else {
      return problem(.quantity, "not an integer")
    }
    guard let price = RetailNumber(price: cell(.price)) else { return problem(.price, "not a decimal number") }
    guard isQuantityPositive, price.isPositive else {
      skipped.notPositive += 1
      return .nothing
    }
    guard let sku = SKU(RetailNumber.trimmed(cell(.sku))) else { return problem(.sku, "not a SKU") }
    guard let date = RetailDate(cell(.date)) else {
      return problem(.date, "neither like 2010-12-01 08:26:00 nor like 12/1/2010 8:26")
    }
    guard let pence = price.pence, pence <= ProductRevision.Content.maximumUnitPrice else {
      return problem(.price, "above \(ProductRevision.Content.maximumUnitPrice) pence")
    }
    let description = RetailNumber.trimmed(cell(.description))
    if !description.isEmpty, ProductFields.name(description) == nil {
      return problem(.description, "not up to \(ProductFields.maximumNameBytes) bytes of printable text")
    }
    take(Seen(line: line, date: date, pence: pence, description: description.isEmpty ? nil : description), sku)
    return .nothing
  }

  private func take(_ row: Seen, _ sku: SKU) {
    guard var product = seen[sku] else {
      seen[sku] = row
      waiting.append(sku)
      return
    }
    if row.date >= product.date { (product.date, product.pence) = (row.date, row.pence) }
    if product.description == nil { product.description = row.description }
    seen[sku] = product
  }

  private func patch() -> ImportRecord? {
    guard let sku = waiting.popLast(), let product = seen.removeValue(forKey: sku) else { return nil }
    return ProductPatch.read(
      line: product.line,
      [
        (.sku, .text(sku.text)), (.name, .text(product.description ?? sku.text)), (.unitPrice, .integer(product.pence)),
        (.currency, .text("GBP")),
      ], faults: [])
  }
}
