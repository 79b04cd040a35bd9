import Testing

@testable import FastCGIServer

@Suite struct ResponseTests {
  /// What stands in the STDOUT stream, and the records as (type, length of the content).
  private func written(_ response: Response) -> (text: String, records: [[Int]]) {
    var records = RecordWriter()
    response.write(to: &records, id: 258)
    var text: [UInt8] = []
    var shapes: [[Int]] = []
    var rest = records.bytes[...]
    while rest.count >= 8 {
      let header = Array(rest.prefix(8))
      #expect(header[0] == 1 && header[2] == 1 && header[3] == 2 && header[6] == 0)
      let length = Int(header[4]) << 8 | Int(header[5])
      rest = rest.dropFirst(8)
      if header[1] == 6 { text += rest.prefix(length) }
      rest = rest.dropFirst(length)
      shapes.append([Int(header[1]), length])
    }
    #expect(rest.isEmpty)
    return (String(decoding: text, as: UTF8.self), shapes)
  }

  @Test func theStatusComesFirstAndTheLengthLast() {
    let response = Response(
      status: 201, fields: [.init("Location", "/v1/x"), .init("A", "b")], body: Array("hello".utf8))
    let text = "Status: 201 Created\r\nLocation: /v1/x\r\nA: b\r\nContent-Length: 5\r\n\r\nhello"
    #expect(written(response).text == text)
    #expect(written(response).records == [[6, text.utf8.count], [6, 0], [3, 8]])
  }

  @Test(arguments: [204, 304]) func someHaveNoBody(status: Int) {
    let text = written(Response(status: status, body: [1, 2, 3])).text
    #expect(text.hasPrefix("Status: \(status) ") && text.hasSuffix("\r\n\r\n") && !text.contains("Content-Length"))
  }

  @Test func aHeadKeepsTheLength() {
    let text = written(Response(status: 200, body: [1, 2, 3], omitsBody: true)).text
    #expect(text == "Status: 200 OK\r\nContent-Length: 3\r\n\r\n")
  }

  @Test func noFieldMakesAnother() {
    let fields: [Response.Field] = [
      .init("Location", "/a\r\nSet-Cookie: evil=1"), .init("Bad Name", "1"), .init("", "2"), .init("X:Y", "3"),
      .init("X\r\nZ", "4"), .init("content-length", "999"), .init("STATUS", "500"), .init("Nul", "a\0b"),
    ]
    #expect(
      written(Response(status: 200, fields: fields)).text
        == "Status: 200 OK\r\nLocation: /a  Set-Cookie: evil=1\r\nNul: a b\r\nContent-Length: 0\r\n\r\n")
  }

  @Test(arguments: [0, 100, 199, 600, -1, Int.max]) func aStatusThatIsNoneIsAnError(status: Int) {
    #expect(written(Response(status: status)).text.hasPrefix("Status: 500 "))
  }

  @Test(arguments: [65_000, 65_528, 65_536, 200_000]) func aLongBodyTakesSeveralRecords(count: Int) {
    let body = (0..<count).map { UInt8(ascii: "a") + UInt8($0 % 26) }
    let (text, records) = written(Response(status: 200, body: body))
    #expect(text.hasSuffix(String(decoding: body, as: UTF8.self)))
    #expect(records.allSatisfy { $0[1] <= 65_528 } && records.suffix(2) == [[6, 0], [3, 8]])
  }
}
