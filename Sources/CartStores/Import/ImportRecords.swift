/// What a reader made of a piece of its file.
enum ImportRecord {
  case patch(ProductPatch)
  case problem(ImportProblem)
  /// Nothing yet; there may be more to come.
  case nothing
}

/// Reads one format.
protocol ImportRecords: AnyObject {
  /// The next record; `nil` at the end.
  func next() throws(ImportError) -> ImportRecord?
  /// Records met so far, bad and skipped ones too.
  var rowsRead: Int { get }
  /// Rows that the format says are no products, by the reason.
  var skipped: ImportReport.Skipped { get }
}

extension ImportFormat {
  func records(_ source: any ImportSource) -> any ImportRecords {
    let lines = SourceLines(source)
    return switch self {
    case .ndjson: NDJSONRecords(lines)
    case .csv: CSVProducts(CSVRecords(lines))
    case .onlineRetail: OnlineRetailRecords(CSVRecords(lines))
    }
  }
}
