/// Products as records of CSV, their keys in the header. An empty cell leaves what is there, `\N` clears.
final class CSVProducts: ImportRecords {
  private let records: CSVRecords
  private var header: [CatalogueKey]?
  private var isUnreadable = false
  private(set) var rowsRead = 0
  var skipped: ImportReport.Skipped { ImportReport.Skipped() }

  init(_ records: CSVRecords) { self.records = records }

  func next() throws(ImportError) -> ImportRecord? {
    if isUnreadable { return nil }
    guard let header else { return try readHeader() }
    guard let record = try records.next() else { return nil }
    rowsRead += 1
    switch record {
    case .problem(let problem): return .problem(problem)
    case .cells(let line, let cells): return Self.read(line: line, cells, header)
    }
  }

  private func readHeader() throws(ImportError) -> ImportRecord {
    switch try records.next() {
    case nil: return unreadable(line: 1, "no header")
    case .problem(let problem): return unreadable(line: problem.line, problem.reason)
    case .cells(let line, let cells):
      var keys: [CatalogueKey] = []
      var faults: [String] = []
      for cell in cells {
        if let key = CatalogueKey(rawValue: cell) {
          if keys.contains(key) { faults.append("\(cell): twice in the header") }
          keys.append(key)
        } else {
          faults.append("\(cell.prefix(64)): not a key of the catalogue")
        }
      }
      if !keys.contains(.sku) { faults.append("sku: missing in the header") }
      guard faults.isEmpty else { return unreadable(line: line, faults.joined(separator: "; ")) }
      header = keys
      return .nothing
    }
  }

  /// Without a header no line says anything.
  private func unreadable(line: Int, _ reason: String) -> ImportRecord {
    isUnreadable = true
    return .problem(ImportProblem(line: line, reason: reason))
  }

  private static func read(line: Int, _ cells: [String], _ header: [CatalogueKey]) -> ImportRecord {
    guard cells.count == header.count else {
      return .problem(
        ImportProblem(line: line, reason: "\(cells.count) cells where the header has \(header.count)"))
    }
    var values: [(key: CatalogueKey, value: CatalogueValue)] = []
    for (key, cell) in zip(header, cells) where !cell.isEmpty {
      values.append((key, CatalogueValue(cell: cell, key.kind)))
    }
    return ProductPatch.read(line: line, values, faults: [])
  }
}

extension CatalogueValue {
  init(cell: String, _ kind: CatalogueKey.Kind) {
    if cell == "\\N" {
      self = .null
      return
    }
    switch kind {
    case .text: self = .text(cell)
    case .integer:
      // Digits alone: Int(_:) would also take a plus.
      let isDecimal = cell.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
      self = (isDecimal ? Int(cell) : nil).map { .integer($0) } ?? .other
    case .boolean:
      switch cell {
      // Spreadsheets write them in capitals.
      case "true", "TRUE": self = .boolean(true)
      case "false", "FALSE": self = .boolean(false)
      default: self = .other
      }
    }
  }
}
