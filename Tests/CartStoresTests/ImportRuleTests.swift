import CartDomain
import Foundation
import Testing

@testable import CartStores

@Suite("Importing a catalogue", .requiresPostgres)
struct ImportRuleTests {
  let schema: PostgresSchema

  init() throws { schema = try PostgresSchema() }

  private static let complete = #""sku":"A","name":"a","unitPrice":1,"currency":"GBP""#

  @Test("a missing key leaves what is there, null clears")
  func upsert() throws {
    try schema.loadAll(
      """
      {\(Self.complete),"merchantId":"m","picture":"/p","stock":9,"purchaseLimit":1,"customerLimit":2,\
      "minimumQuantity":3,"quantityStep":4,"availableFrom":"2026-01-01T00:00:00Z",\
      "availableUntil":"2026-02-01T00:00:00Z","active":false}
      """)
    let before = try #require(try schema.product("A"))
    try schema.loadAll(#"{"sku":"A"}"#)
    let untouched = try #require(try schema.product("A"))
    #expect(untouched.content == before.content && untouched.stock == 9)
    try schema.loadAll(
      """
      {"sku":"A","merchantId":null,"picture":null,"stock":null,"purchaseLimit":null,"customerLimit":null,\
      "minimumQuantity":null,"quantityStep":null,"availableFrom":null,"availableUntil":null,"active":null}
      """)
    let cleared = try #require(try schema.product("A"))
    let plain = ProductRevision.Content(
      sku: before.content.sku, name: "a", unitPrice: before.content.unitPrice)
    #expect(cleared.content == plain)
    #expect(cleared.stock == nil)
  }

  @Test("a new SKU belongs to main, is active, and its stock is not counted")
  func defaults() throws {
    try schema.loadAll("{\(Self.complete)}")
    let product = try #require(try schema.product("A"))
    #expect(product.content.merchantID == .main && product.content.isActive && product.stock == nil)
  }

  @Test("without a stock the stock is not touched, also where an order takes from it meanwhile")
  func stock() throws {
    try schema.loadAll("{\(Self.complete),\"stock\":9}")
    _ = try schema.rows("UPDATE product_stock SET stock = 7")
    let report = try schema.loadAll(#"{"sku":"A","unitPrice":2}"#)
    #expect(report.changed == 1)
    #expect(try schema.product("A")?.stock == 7)
    // An order holds the stock while the import comes and goes: neither waits for the other.
    try schema.order("UPDATE product_stock SET stock = stock - 2") {
      #expect(throws: Never.self) { try schema.loadAll(#"{"sku":"A","unitPrice":3}"#) }
    }
    let product = try #require(try schema.product("A"))
    #expect(product.stock == 5)
    #expect(product.content.unitPrice.minorUnits == 3)
  }

  @Test("of two lines about one SKU both count, the later on what it gives")
  func twice() throws {
    let report = try schema.loadAll(
      """
      {\(Self.complete),"stock":1,"picture":"/a"}
      {"sku":"B","name":"b","unitPrice":5,"currency":"EUR"}
      {"sku":"A","unitPrice":2,"picture":null}
      {"sku":"A","stock":3}
      """)
    #expect((report.rows, report.products, report.added) == (4, 2, 2))
    let product = try #require(try schema.product("A"))
    #expect(product.content.unitPrice.minorUnits == 2 && product.content.picture == nil && product.stock == 3)
    #expect(try schema.rows("SELECT count(*) FROM product_revisions") == [["2"]])
  }

  @Test("one bad line, and nothing is imported")
  func allOrNothing() throws {
    try schema.loadAll("{\(Self.complete)}")
    let before = try schema.rows("SELECT * FROM product_revisions, catalogue_state")
    let (report, problems) = try schema.load(
      """
      {"sku":"A","unitPrice":2}
      {"sku":"B","name":"b","unitPrice":5,"currency":"EUR"}
      {"sku":"C"}
      """)
    #expect(!report.isImported && report.rows == 3)
    #expect(
      problems == [ImportProblem(line: 3, reason: "missing, and the SKU is new: name, unitPrice, currency")])
    #expect(try schema.rows("SELECT * FROM product_revisions, catalogue_state") == before)
    #expect(try schema.product("B") == nil)
  }

  @Test("every bad line is reported once, in order, over many batches")
  func everyBadLine() throws {
    var text = ""
    for number in 1...4_000 {
      let line =
        switch number % 4 {
        case 0: "{\"sku\":\"S\(number)\",\"name\":\"n\",\"unitPrice\":1,\"currency\":\"GBP\"}\n"
        case 1: "{\"sku\":\"S\(number)\",\"name\":\"n\"}\n"
        case 2: "oops\n"
        default: "{\"sku\":\"S\(number)\",\"name\":\"n\",\"unitPrice\":-1,\"currency\":\"GBP\"}\n"
        }
      text += line
    }
    let (report, problems) = try schema.load(text)
    #expect(problems.map(\.line) == (1...4_000).filter { $0 % 4 != 0 })
    #expect(report.rows == 4_000)
    #expect(try schema.rows("SELECT count(*) FROM products") == [["0"]])
  }

  @Test("two imports at once follow one another")
  func concurrent() async throws {
    let schema = schema
    let reports = try await withThrowingTaskGroup(of: ImportReport.self) { group in
      for number in 0..<6 {
        group.addTask {
          try schema.loadAll(
            """
            {\(Self.complete),"stock":\(number)}
            {"sku":"N\(number)","name":"n","unitPrice":1,"currency":"GBP"}
            """)
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(Set(reports.map(\.catalogueVersion)).count == 6)
    #expect(reports.map(\.added).reduce(0, +) == 7)
    #expect(try schema.catalogueVersion() == reports.map(\.catalogueVersion).max())
  }

  @Test("an import that fails on the way leaves the connection in use and nothing behind")
  func failingSource() throws {
    final class Failing: ImportSource {
      func read() throws(ImportError) -> [UInt8] { throw .file("gone") }
    }
    let connection = try schema.connection()
    #expect(throws: ImportError.self) {
      try CatalogueImport(connection).run(Failing(), .ndjson, problem: { _ in })
    }
    #expect(!connection.isInTransaction)
    let source = ImportBytes(Array("{\(Self.complete)}".utf8))
    #expect(try CatalogueImport(connection).run(source, .ndjson, problem: { _ in }).added == 1)
  }

  @Test("an empty file changes nothing")
  func empty() throws {
    let before = try schema.catalogueVersion()
    #expect(try schema.loadAll("") == ImportReport(catalogueVersion: before))
    #expect(try schema.loadAll("\n  \r\n\n").rows == 0)
  }
}

extension ImportReport {
  init(catalogueVersion: Int64) {
    self.init()
    self.catalogueVersion = catalogueVersion
  }
}
