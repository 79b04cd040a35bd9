import CartDomain
import Foundation
import Testing

@testable import CartStores

@Suite("Importing order lines of the Online Retail data set")
struct ImportOnlineRetailTests {
  private static let header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"

  private struct Outcome {
    var products: [String] = []
    var problems: [String] = []
    var skipped = ImportReport.Skipped()
  }

  private func read(_ rows: [String], header: String = Self.header) throws -> Outcome {
    let text = ([header] + rows).joined(separator: "\n")
    let records = ImportFormat.onlineRetail.records(ImportBytes(Array(text.utf8)))
    var outcome = Outcome()
    while let record = try records.next() {
      switch record {
      case .nothing: continue
      case .problem(let problem): outcome.problems.append("\(problem.line): \(problem.reason)")
      case .patch(let patch):
        let fields = patch.fields
        outcome.products.append(
          "\(patch.sku) \(fields.name ?? "") \(fields.unitPrice ?? -1) \(fields.currency?.code ?? "")")
      }
    }
    outcome.skipped = records.skipped
    return outcome
  }

  private func row(
    _ sku: String, _ description: String = "THING", quantity: String = "1", date: String = "2010-12-01 08:26:00",
    price: String = "1.00", invoice: String = "536365"
  ) -> String {
    "\(invoice),\(sku),\(description),\(quantity),\(date),\(price),17850.0,United Kingdom"
  }

  @Test("the last price by date; at equal dates the later row")
  func price() throws {
    let outcome = try read([
      row("A", date: "2010-12-02 08:00:00", price: "3.00"), row("A", date: "2010-12-01 09:00:00", price: "2.00"),
      row("B", price: "4.00"), row("B", price: "5.00"),
      row("C", date: "2010-12-09 10:00:00", price: "6.00"), row("C", date: "2010-12-10 9:00:00", price: "7.00"),
    ])
    #expect(outcome.products == ["A THING 300 GBP", "B THING 500 GBP", "C THING 700 GBP"])
  }

  @Test("the first description that is not empty, else the SKU")
  func description() throws {
    let outcome = try read([
      row("A", ""), row("A", "  "), row("A", " FIRST "), row("A", "SECOND"), row("m", ""), row("M", "\"A, \"\"B\"\"\""),
    ])
    #expect(outcome.products == ["A FIRST 100 GBP", "m m 100 GBP", "M A, \"B\" 100 GBP"])
  }

  @Test("cancellations and rows whose quantity or price is not positive say nothing, and are counted")
  func skipped() throws {
    let outcome = try read([
      row("A", "NAME", price: "2.00"), row("A", "GONE", date: "2011-01-01 08:00:00", price: "0"),
      row("A", "GONE", date: "2011-01-01 08:00:00", price: "-9.00"),
      row("A", "GONE", quantity: "0", date: "2011-01-01 08:00:00", price: "9.00"),
      row("A", "GONE", quantity: "-3", date: "2011-01-01 08:00:00", price: "9.00"),
      row("A", "GONE", quantity: "-3", date: "2011-01-01 08:00:00", price: "9.00", invoice: "C536379"),
      row("B", "ONLY", price: "0.000"), row("C", "", quantity: "x", price: "y", invoice: "C1"),
    ])
    #expect(outcome.products == ["A NAME 200 GBP"])
    #expect(outcome.problems == [])
    #expect((outcome.skipped.cancellations, outcome.skipped.notPositive) == (2, 5))
  }

  @Test(
    "prices are read exactly, half up to pence",
    arguments: [
      ("2.55", 255), ("2.5", 250), ("2", 200), ("0.001", 0), ("0.005", 1), ("0.0049999999999999999999", 0),
      ("1.005", 101), ("1.115", 112), ("2.675", 268), ("4.995", 500), ("10000000.00", 1_000_000_000),
      ("000.29", 29), ("0.285", 29), ("38970.0", 3_897_000),
    ])
  func rounding(price: String, pence: Int) throws {
    #expect(try read([row("A", price: price)]).products == ["A THING \(pence) GBP"])
  }

  @Test("dates are also read as the original writes them")
  func dates() throws {
    let outcome = try read([
      row("A", date: "12/1/2010 8:26", price: "1.00"), row("A", date: "2/10/2011 10:05", price: "3.00"),
      row("A", date: "10/2/2010 23:59", price: "2.00"), row("B", date: "2010-12-01 08:26", price: "1.00"),
      row("B", date: "12/1/2010 8:25", price: "2.00"),
    ])
    #expect(outcome.products == ["A THING 300 GBP", "B THING 100 GBP"])
  }

  @Test("every bad row is told by its line")
  func problems() throws {
    let outcome = try read([
      row("A", quantity: "1.5"), row("A", price: "1,5"), row("A", price: "abc"), row("A", price: ""),
      row("A", date: "yesterday"), row("A", date: "2010-13-01 08:00:00"), row(""), row("A", price: "10000000.01"),
      row("A", String(repeating: "x", count: 201)), "536365,A,THING", row("GOOD"),
      row("A", price: "99999999999999999999"), row("A", price: "1e3"),
    ])
    #expect(
      outcome.problems == [
        "2: Quantity: not an integer", "3: 9 cells where the header has 8", "4: UnitPrice: not a decimal number",
        "5: UnitPrice: not a decimal number",
        "6: InvoiceDate: neither like 2010-12-01 08:26:00 nor like 12/1/2010 8:26",
        "7: InvoiceDate: neither like 2010-12-01 08:26:00 nor like 12/1/2010 8:26", "8: StockCode: not a SKU",
        "9: UnitPrice: above 1000000000 pence", "10: Description: not up to 200 bytes of printable text",
        "11: 3 cells where the header has 8", "13: UnitPrice: above 1000000000 pence",
        "14: UnitPrice: not a decimal number",
      ])
    #expect(outcome.products == ["GOOD THING 100 GBP"])
  }

  @Test("a header that lacks a column is the only problem told")
  func header() throws {
    let outcome = try read([row("A")], header: "InvoiceNo,StockCode,Quantity,InvoiceDate,Price")
    #expect(outcome.problems == ["1: missing in the header: Description, UnitPrice"])
    #expect(outcome.products.isEmpty)
    let records = ImportFormat.onlineRetail.records(ImportBytes([]))
    guard case .problem(let problem)? = try records.next() else {
      Issue.record("an empty file was taken")
      return
    }
    #expect(problem == ImportProblem(line: 1, reason: "no header"))
    #expect(try records.next() == nil)
  }

  @Test("is loaded, leaves stock and merchant alone, and again changes nothing", .requiresPostgres)
  func load() throws {
    let schema = try PostgresSchema()
    try schema.loadAll(
      #"{"sku":"A","name":"a","unitPrice":1,"currency":"EUR","stock":5,"merchantId":"m7","active":false}"#)
    let text = [Self.header, row("A", price: "2.00"), row("B b", price: "3.00")].joined(separator: "\r\n")
    let report = try schema.loadAll(text, .onlineRetail)
    #expect((report.rows, report.added, report.changed) == (2, 1, 1))
    let product = try #require(try schema.product("A"))
    #expect(product.stock == 5 && product.content.merchantID.text == "m7" && !product.content.isActive)
    #expect(product.content.unitPrice == Money(minorUnits: 200, currency: try #require(Currency("GBP"))))
    #expect(try schema.product("B b")?.content.merchantID == .main)
    #expect(try schema.loadAll(text, .onlineRetail).unchanged == 2)
  }
}
