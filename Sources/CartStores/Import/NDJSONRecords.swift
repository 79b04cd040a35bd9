internal import CartJSON

/// Products as JSON objects, one a line. Blank lines are passed over.
final class NDJSONRecords: ImportRecords {
  private let lines: SourceLines
  private(set) var rowsRead = 0
  var skipped: ImportReport.Skipped { ImportReport.Skipped() }

  init(_ lines: SourceLines) { self.lines = lines }

  func next() throws(ImportError) -> ImportRecord? {
    while let line = try lines.next() {
      if line.isBlank, !line.isTooLong { continue }
      rowsRead += 1
      if let fault = line.fault { return .problem(ImportProblem(line: line.number, reason: fault)) }
      return Self.read(line)
    }
    return nil
  }

  private static func read(_ line: SourceLine) -> ImportRecord {
    do throws(JSONError) {
      let document = try JSONDocument(parsing: line.bytes.span, maximumBytes: SourceLine.maximumBytes)
      guard document.root.kind == .object else {
        return .problem(ImportProblem(line: line.number, reason: "not a JSON object"))
      }
      var values: [(key: CatalogueKey, value: CatalogueValue)] = []
      var faults: [String] = []
      document.root.forEachMember { name, value in
        if let key = CatalogueKey(rawValue: name) {
          values.append((key, CatalogueValue(value)))
        } else {
          faults.append("\(name.prefix(64)): not a key of the catalogue")
        }
      }
      return ProductPatch.read(line: line.number, values, faults: faults)
    } catch {
      return .problem(ImportProblem(line: line.number, reason: error.description))
    }
  }
}

extension CatalogueValue {
  init(_ value: borrowing JSONValue) {
    switch value.kind {
    case .null: self = .null
    case .string: self = .text(value.string ?? "")
    case .integer: self = .integer(value.integer ?? -1)
    case .boolean: self = .boolean(value.boolean ?? false)
    case .real, .object, .array: self = .other
    }
  }
}
