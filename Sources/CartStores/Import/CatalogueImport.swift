internal import CartDomain

/// Imports a catalogue file: an upsert in the order of its lines, all of it or nothing. Of two lines about one SKU
/// each counts, the later one on the keys that it gives. The stock follows, see ``PostgresCatalogue/applyStock(through:)``.
///
/// Every line is looked at, also after a bad one, and each is judged by what the lines before it left.
package struct CatalogueImport {
  private static let batchSize = 500

  private let connection: PostgresConnection

  package init(_ connection: PostgresConnection) {
    self.connection = connection
  }

  /// - Parameters:
  ///   - problem: told of every bad line, in the order of the lines.
  ///   - progress: told of the rows read so far, now and then.
  /// - Returns: the report; with bad lines in it nothing was changed.
  package func run(
    _ source: any ImportSource, _ format: ImportFormat, problem: (ImportProblem) -> Void,
    progress: (_ rows: Int) -> Void = { _ in }
  ) throws(ImportError) -> ImportReport {
    do throws(PostgresError) { try connection.begin() } catch { throw .database(error) }
    do throws(ImportError) {
      let report = try stage(format.records(source), problem, progress)
      guard report.isImported else {
        connection.rollback()
        return report
      }
      return try commit(report)
    } catch {
      connection.rollback()
      throw error
    }
  }

  private func stage(
    _ records: any ImportRecords, _ problem: (ImportProblem) -> Void, _ progress: (Int) -> Void
  ) throws(ImportError) -> ImportReport {
    var report = ImportReport()
    var batch = Batch()
    do throws(PostgresError) { try PostgresCatalogueStaging(connection).open() } catch { throw .database(error) }
    func flush() throws(ImportError) {
      report.badLines += try batch.flush(PostgresCatalogueStaging(connection), problem)
      progress(records.rowsRead)
    }
    var rowsTold = 0
    while let record = try records.next() {
      switch record {
      case .nothing: break
      case .problem(let found): batch.problems.append(found)
      case .patch(let patch):
        // One statement can take but one line about a SKU.
        if !batch.skus.insert(patch.sku).inserted {
          try flush()
          batch.skus.insert(patch.sku)
        }
        batch.patches.append(patch)
      }
      if batch.patches.count + batch.problems.count >= Self.batchSize || records.rowsRead - rowsTold >= 10_000 {
        rowsTold = records.rowsRead
        try flush()
      }
    }
    try flush()
    report.rows = records.rowsRead
    report.skipped = records.skipped
    return report
  }

  private func commit(_ staged: ImportReport) throws(ImportError) -> ImportReport {
    do throws(PostgresError) {
      let applied = try PostgresCatalogueStaging(connection).apply()
      try connection.commit()
      var report = staged
      (report.products, report.added, report.changed) = (applied.products, applied.added, applied.changed)
      (report.catalogueVersion, report.lastStockChange) = (applied.catalogueVersion, applied.lastStockChange)
      return report
    } catch {
      throw .database(error)
    }
  }

  /// Lines that go to PostgreSQL together.
  private struct Batch {
    var patches: [ProductPatch] = []
    var skus: Set<SKU> = []
    var problems: [ImportProblem] = []

    /// - Returns: how many lines were bad.
    mutating func flush(
      _ staging: PostgresCatalogueStaging, _ tell: (ImportProblem) -> Void
    ) throws(ImportError) -> Int {
      do throws(PostgresError) {
        if !patches.isEmpty { problems += try staging.stage(patches) }
      } catch {
        throw .database(error)
      }
      problems.sort { $0.line < $1.line }
      for problem in problems { tell(problem) }
      defer { self = Batch() }
      return problems.count
    }
  }
}
