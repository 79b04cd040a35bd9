import CartDomain
import Foundation
import Testing

@testable import CartStores

/// What is said of a line does not depend on PostgreSQL, but for a SKU that is new.
@Suite("Lines of a catalogue file")
struct ImportLineTests {
  /// Reads `bytes` and answers, for each record, its line and reason; the reason is `nil` for a good one.
  private func read(_ bytes: [UInt8], _ format: ImportFormat = .ndjson) throws -> [String] {
    let records = format.records(ImportBytes(bytes))
    var found: [String] = []
    while let record = try records.next() {
      switch record {
      case .nothing: continue
      case .patch(let patch): found.append("\(patch.line) \(patch.sku)")
      case .problem(let problem): found.append("\(problem.line): \(problem.reason)")
      }
    }
    return found
  }

  private func read(_ text: String, _ format: ImportFormat = .ndjson) throws -> [String] {
    try read(Array(text.utf8), format)
  }

  private static let price = "unitPrice: not an integer from 0 to 1000000000"
  private static let badSKU = "sku: not 1 to 64 bytes of printable text, or with a part . or .. between slashes"

  @Test(
    "NDJSON values are strict",
    arguments: [
      (#""unitPrice":"12""#, price), (#""unitPrice":1.0"#, price), (#""unitPrice":1e2"#, price),
      (#""unitPrice":-1"#, price), (#""unitPrice":1000000001"#, price), (#""unitPrice":true"#, price),
      (#""unitPrice":null"#, "unitPrice: can't be null"), (#""name":null"#, "name: can't be null"),
      (#""currency":null"#, "currency: can't be null"),
      (#""name":"""#, "name: not 1 to 200 bytes of printable text"),
      (#""name":" a""#, "name: not 1 to 200 bytes of printable text"),
      (#""name":"a\u0007b""#, "name: not 1 to 200 bytes of printable text"),
      (#""name":7"#, "name: not 1 to 200 bytes of printable text"),
      ("\"name\":\"\(String(repeating: "é", count: 101))\"", "name: not 1 to 200 bytes of printable text"),
      ("\"picture\":\"\(String(repeating: "p", count: 501))\"", "picture: not 1 to 500 bytes of printable text"),
      (#""currency":"gbp""#, "currency: not a currency of ISO 4217, such as GBP"),
      (#""currency":"ABC""#, "currency: not a currency of ISO 4217, such as GBP"),
      (#""merchantId":"""#, "merchantId: not 1 to 64 bytes of printable text"),
      (#""stock":-1"#, "stock: not an integer from 0 to 1000000000"),
      (#""stock":1000000001"#, "stock: not an integer from 0 to 1000000000"),
      (#""purchaseLimit":0"#, "purchaseLimit: not an integer from 1 to 1000000000"),
      (#""customerLimit":0"#, "customerLimit: not an integer from 1 to 1000000000"),
      (#""minimumQuantity":0"#, "minimumQuantity: not an integer from 1 to 1000000000"),
      (#""quantityStep":0"#, "quantityStep: not an integer from 1 to 1000000000"),
      (
        #""availableFrom":"2026-02-30T00:00:00Z""#,
        "availableFrom: not a date-time of RFC 3339, such as 2026-11-22T10:00:00Z"
      ),
      (#""availableUntil":1"#, "availableUntil: not a date-time of RFC 3339, such as 2026-11-22T10:00:00Z"),
      (#""active":1"#, "active: not true or false"), (#""active":"true""#, "active: not true or false"),
      (#""colour":"red""#, "colour: not a key of the catalogue"), (#""SKU":"A""#, "SKU: not a key of the catalogue"),
      (#""stock":9223372036854775808"#, "a number out of range"),
      (#""sku":"B""#, "the same name twice in one object"),
    ])
  func values(member: String, reason: String) throws {
    let found = try read("{\"sku\":\"A\",\(member)}")
    #expect(found.count == 1 && found[0].hasPrefix("1: \(reason)"), "\(found)")
  }

  @Test(
    "a SKU is one of the domain's",
    arguments: [
      #"{"name":"a"}"#, #"{"sku":null}"#, #"{"sku":1}"#, #"{"sku":""}"#, #"{"sku":" A"}"#, #"{"sku":"a/../b"}"#,
      "{\"sku\":\"\(String(repeating: "s", count: 65))\"}",
    ])
  func skus(line: String) throws {
    let missing = line.contains("name") ? "1: sku: missing" : "1: " + Self.badSKU
    #expect(try read(line) == [missing])
  }

  @Test("what can't be JSON is told by its line")
  func syntax() throws {
    let found = try read(
      """
      {"sku":"A"}
      [1]

      "A"
      {"sku":"B"} x
      {"sku":"C"
      """)
    #expect(found.map { $0.prefix(2) } == ["1 ", "2:", "4:", "5:", "6:"])
    #expect(found[1] == "2: not a JSON object")
  }

  @Test("all that is wrong with a line is said at once")
  func several() throws {
    #expect(
      try read(#"{"unitPrice":"1","name":""}"#) == [
        "1: \(Self.price); name: not 1 to 200 bytes of printable text; sku: missing"
      ])
  }

  @Test("bytes that are no text are bad lines, in NDJSON and CSV", arguments: [ImportFormat.ndjson, .csv])
  func bytes(format: ImportFormat) throws {
    let long = [UInt8](repeating: UInt8(ascii: "x"), count: 200_000)
    var text = Array("sku\n".utf8)
    text += [0xFF, 0x0A] + Array("a\0b\n".utf8) + long + [0x0A, 0xC3, 0x0A]
    let found = try read(text, format).filter { !$0.hasPrefix("1:") }
    #expect(found == ["2: not UTF-8", "3: a NUL byte", "4: longer than 65536 bytes", "5: not UTF-8"])
  }

  @Test("lines end in LF or CRLF or with the file; a byte order mark is passed over")
  func lineEnds() throws {
    #expect(try read("\u{FEFF}{\"sku\":\"A\"}\r\n{\"sku\":\"B\"}\n{\"sku\":\"C\"}") == ["1 A", "2 B", "3 C"])
    #expect(try read("\u{FEFF}sku,name\r\nA,a\r\nB,\"b\r\nb\"\nC,c", .csv).count == 3)
  }

  @Test("CSV cells: quotes, commas, line breaks, empty ones and \\N")
  func cells() throws {
    let records = ImportFormat.csv.records(
      ImportBytes(
        Array(
          """
          sku,name,picture,stock,active,unitPrice
          A,"a ""quoted"", name",,\\N,TRUE,007
          "B","two

          lines",/p,0,false,

          C,,\\N,5,,
          """.utf8)))
    var patches: [ProductPatch] = []
    var problems: [ImportProblem] = []
    while let record = try records.next() {
      if case .patch(let patch) = record { patches.append(patch) }
      if case .problem(let problem) = record { problems.append(problem) }
    }
    // The name of two lines is no printable text, and its record goes by its first line.
    #expect(problems == [ImportProblem(line: 3, reason: "name: not 1 to 200 bytes of printable text")])
    #expect(patches.map(\.line) == [2, 7])
    #expect(patches[0].fields.name == "a \"quoted\", name")
    #expect(patches[0].fields.unitPrice == 7 && patches[0].fields.isActive == true)
    let given: (CatalogueKey, ProductPatch) -> Bool = { $1.fields.given & $0.bit != 0 }
    #expect(!given(.picture, patches[0]))
    #expect(given(.stock, patches[0]) && patches[0].fields.stock == nil)
    #expect(given(.picture, patches[1]) && !given(.name, patches[1]) && !given(.active, patches[1]))
  }

  @Test(
    "CSV that is none",
    arguments: [
      ("A,b\"c,1", "2: a quote within a cell that does not begin with one"),
      ("A,\"b\"c,1", "2: text behind a closing quote"), ("A,b", "2: 2 cells where the header has 3"),
      ("A,b,1,", "2: 4 cells where the header has 3"),
      ("A,\"b,1\nB,b,1", "2: a quote that is not closed within 65536 bytes"),
      ("A,a,+1", "2: \(price)"), ("A,a,1.0", "2: \(price)"), ("A,a, 1", "2: \(price)"),
      ("A,a,99999999999999999999", "2: \(price)"), ("A,\\N,1", "2: name: can't be null"),
      (",a,1", "2: sku: missing"), ("\\N,a,1", "2: \(badSKU)"),
    ])
  func badRecords(record: String, problem: String) throws {
    // What comes after it is read all the same.
    let found = try read("sku,name,unitPrice\n\(record)\nZ,z,1\n", .csv)
    #expect(found.first == problem)
    #expect(found.last?.hasSuffix(" Z") == true)
  }

  @Test(
    "a header that can't be read is the only problem told",
    arguments: [
      ("", "1: no header"), ("\n\n", "1: no header"), ("sku,colour\nA,1\n", "1: colour: not a key of the catalogue"),
      ("sku,sku\nA,A\n", "1: sku: twice in the header"), ("name\na\n", "1: sku: missing in the header"),
      ("sku,\nA,\n", "1: : not a key of the catalogue"),
      ("\"sku\nA\n", "1: a quote that is not closed within 65536 bytes"),
    ])
  func headers(text: String, problem: String) throws {
    #expect(try read(text, .csv) == [problem])
  }

  @Test("the format goes by the extension")
  func formats() {
    #expect(ImportFormat(path: "/a.csv/b.ndjson") == .ndjson)
    #expect(ImportFormat(path: "b.JSONL.gz") == .ndjson)
    #expect(ImportFormat(path: "b.csv.GZ") == .csv)
    for path in ["b.json", "csv", "b.gz", "", "/", "-", "b.csv.zip"] { #expect(ImportFormat(path: path) == nil) }
  }
}
