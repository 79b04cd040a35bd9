import ArgumentParser
import CartDomain
import CartJSON
import CartStores
import Glibc

/// `cartctl catalog import`
struct ImportCatalogue: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import",
    abstract: "Imports a catalogue file, all of it or nothing.",
    discussion: """
      An upsert: a key that a line does not give (in CSV an empty cell) leaves what is there; null (in CSV \\N) clears \
      it. Keys: sku, merchantId, name, picture, unitPrice (minor units), currency, stock, purchaseLimit, \
      customerLimit, minimumQuantity, quantityStep, availableFrom, availableUntil (RFC 3339), active. A new SKU needs \
      sku, name, unitPrice and currency. Of two lines about one SKU both count, the later one on the keys that it \
      gives. Blank lines are passed over.

      Every bad line is reported with its number, in one run. The file is UTF-8, and may be compressed by gzip. FILE \
      is - for standard input.

      online-retail is the CSV of the "Online Retail" data set of the UCI repository: cancellations and rows whose \
      quantity or price is not positive are skipped and counted.

        cartctl catalog import products.ndjson
        cartctl catalog import prices.csv.gz --json
        cartctl catalog import --format online-retail "Online Retail.csv"
      """)

  @OptionGroup var stores: StoreOptions
  @OptionGroup var output: OutputOptions

  @Option(name: .long, help: "ndjson, csv or online-retail; else the extension of FILE decides.")
  var format: ImportFormat?

  @Argument(help: "The file to import.")
  var file: String

  func validate() throws {
    if format == nil, ImportFormat(path: file) == nil {
      throw ValidationError("FILE ends neither in .ndjson, .jsonl nor .csv: name its --format")
    }
  }

  func run() throws {
    guard let format = format ?? ImportFormat(path: file) else { throw ExitCode.validationFailure }
    let both = try stores.graph()
    let source = try ImportFile(file)
    var progress = Progress()
    var printer = ImportPrinter(isJSON: output.json)
    let report = try CatalogueImport(both.postgres).run(
      source, format,
      problem: { problem in
        progress.clear()
        printer.problem(problem)
      },
      progress: { progress.show($0, "rows") })
    progress.clear()
    let isPublished = report.isImported ? both.catalogue.publishOrTell() : false
    if let last = report.lastStockChange { applyStock(through: last, both) }
    printer.end(report, isPublished: isPublished)
    if !report.isImported { throw ExitCode.badInput }
    if !isPublished { throw ExitCode.notPublished }
  }
}

extension ImportCatalogue {
  /// The stock follows in small steps, between the orders. Should this process end before it is through, the syncer goes
  /// on with it.
  private func applyStock(through last: Int64, _ both: StoreGraph) {
    let source = PostgresCatalogue(both.postgres)
    do throws(StoreError) {
      while true {
        let applied = try source.applyStockChanges(limit: 300)
        // What can't be published to Redis now, the syncer publishes.
        _ = try? both.catalogue.publishStock(applied.moved)
        if !applied.hasMore { return }
        if try source.isStockApplied(through: last) { return }
        // Others are at it, or hold what is left.
        if applied.moved.isEmpty { usleep(20_000) }
      }
    } catch {
      Terminal.printError(
        """
        cartctl: the catalogue was changed, and its stock follows once cartd runs: \
        \(Terminal.escaped(error.description))
        """)
    }
  }
}

extension ImportFormat: ExpressibleByArgument {}

/// Shows an import while it runs: bad lines are not gathered.
private struct ImportPrinter {
  let isJSON: Bool
  private var isBegun = false

  init(isJSON: Bool) { self.isJSON = isJSON }

  mutating func problem(_ problem: ImportProblem) {
    guard isJSON else {
      Terminal.printError("line \(problem.line): \(Terminal.escaped(problem.reason))")
      return
    }
    Terminal.printJSON((isBegun ? "," : "{\"badLines\":[").utf8)
    isBegun = true
    var json = JSONWriter()
    json.object {
      $0.field("line", problem.line)
      $0.field("reason", problem.reason)
    }
    Terminal.printJSON(json.bytes)
  }

  func end(_ report: ImportReport, isPublished: Bool) {
    if isJSON { endJSON(report, isPublished: isPublished) } else { endText(report) }
  }

  private func endText(_ report: ImportReport) {
    guard report.isImported else {
      let lines = report.badLines == 1 ? "1 bad line" : "\(report.badLines) bad lines"
      Terminal.printError("cartctl: \(lines) among \(report.rows) rows; nothing was imported")
      return
    }
    Terminal.print(
      """
      \(report.rows) rows, \(report.products) products: \(report.added) added, \(report.changed) changed, \
      \(report.unchanged) unchanged
      """)
    if report.skipped != ImportReport.Skipped() {
      Terminal.print(
        """
        skipped: \(report.skipped.cancellations) cancellations, \(report.skipped.notPositive) rows whose quantity or \
        price is not positive
        """)
    }
  }

  private func endJSON(_ report: ImportReport, isPublished: Bool) {
    var json = JSONWriter()
    json.object {
      $0.field("imported", report.isImported)
      $0.field("badLineCount", report.badLines)
      $0.field("rows", report.rows)
      $0.field("products", report.products)
      $0.field("added", report.added)
      $0.field("changed", report.changed)
      $0.field("unchanged", report.unchanged)
      $0.object("skipped") {
        $0.field("cancellations", report.skipped.cancellations)
        $0.field("notPositive", report.skipped.notPositive)
      }
      $0.field("published", isPublished)
    }
    // Its members follow the list that has been printed.
    Terminal.printJSON((isBegun ? "]," : "{\"badLines\":[],").utf8)
    Terminal.printJSON(json.bytes.dropFirst())
    Terminal.printJSON("\n".utf8)
  }
}
