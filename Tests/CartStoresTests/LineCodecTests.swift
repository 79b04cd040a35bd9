import CartDomain
import Testing

@testable import CartStores

@Suite("The shapes in which a line is stored stay as they are") struct LineCodecTests {
  private static let line = LineItem(
    sku: "A|", quantity: 2, isSelected: true, born: 1_763_805_600_000, version: 7,
    merchantID: MerchantID("m|1%")!, unitPrice: 255, revision: RevisionID("rev_000000000001")!,
    clientData: Array(#"{"b":"\"","a":1}"#.utf8))

  @Test("Packed in Redis, without its client data") func packed() throws {
    let text = "2|1|1763805600000|7|m%7C1%25|255|rev_000000000001"
    #expect(Self.line.packed == text)
    var read = try LineItem(packed: Array(text.utf8).span, of: "A|")
    #expect(read.clientData == nil)
    read.clientData = Self.line.clientData
    #expect(read == Self.line)
    #expect(RevisionID(ofPackedLine: Array(text.utf8).span) == Self.line.revision)
    #expect(text == "\(Self.line.packedHead)|7|\(Self.line.packedTail)")
  }

  @Test("A row in PostgreSQL") func row() throws {
    var other = Self.line
    other.isSelected = false
    other.clientData = nil
    let text = """
      [{"sku":"A|","quantity":2,"selected":true,"born":1763805600000,"version":7,"merchant":"m|1%","price":255,\
      "revision":"rev_000000000001","data":"{\\"b\\":\\"\\\\\\"\\",\\"a\\":1}"},\
      {"sku":"A|","quantity":2,"selected":false,"born":1763805600000,"version":7,"merchant":"m|1%","price":255,\
      "revision":"rev_000000000001"}]
      """
    #expect(CartRow.json(of: [Self.line, other]) == text)
    #expect(try CartRow.lines(json: text) == [Self.line, other])
    for (part, garbage) in [
      (#""quantity":2"#, #""quantity":0"#), (#""price":255,"#, ""), (#""born":1763805600000"#, #""born":"1""#),
    ] {
      #expect(throws: StoreError.self) { try CartRow.lines(json: text.replacing(part, with: garbage)) }
    }
  }
}
