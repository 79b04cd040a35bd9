import Foundation
import Testing

@testable import FastCGIServer

@Suite struct RequestReaderTests {
  struct Row: CustomTestStringConvertible, Sendable {
    var name: String
    var bytes: [UInt8]
    var expected: RequestReader.Outcome
    var testDescription: String { name }

    init(_ name: String, _ bytes: [UInt8], _ expected: RequestReader.Outcome) {
      self.name = name
      self.bytes = bytes
      self.expected = expected
    }

    static func params(_ name: String, _ content: [UInt8], _ refusal: Refusal) -> Row {
      Row(name, Records.begin() + Records.params(content), .refused(refusal, id: 1))
    }
  }

  static let violations: [Row] = [
    Row("version 0", Records.record(1, 1, [0, 1, 0, 0, 0, 0, 0, 0], version: 0), .violation(.version)),
    Row("version 2", Records.record(1, 1, [0, 1, 0, 0, 0, 0, 0, 0], version: 2), .violation(.version)),
    Row("not FastCGI", Array("GET / HTTP/1.1\r\n\r\n".utf8), .violation(.version)),
    Row("begin with id 0", Records.begin(0), .violation(.requestID)),
    Row("short begin", Records.record(1, 1, [0, 1, 0, 0, 0, 0, 0]), .violation(.length)),
    Row("long begin", Records.record(1, 1, [UInt8](repeating: 0, count: 9)), .violation(.length)),
    Row("empty begin", Records.record(1, 1), .violation(.length)),
    Row("a second begin", Records.begin() + Records.begin(), .violation(.multiplexing)),
    Row("a begin of another request", Records.begin(1) + Records.begin(2), .violation(.multiplexing)),
    Row("params without begin", Records.params([]), .violation(.order)),
    Row("stdin without begin", Records.stdin([]), .violation(.order)),
    Row("stdin before the end of params", Records.begin() + Records.stdin([]), .violation(.order)),
    Row("params after their end", Records.begin() + Records.params([]) + Records.params([]), .violation(.order)),
    Row("params of another request", Records.begin(1) + Records.params([], 2), .violation(.requestID)),
    Row(
      "stdin of another request", Records.begin() + Records.params([]) + Records.stdin([], 7), .violation(.requestID)),
    Row("abort with id 0", Records.record(2, 0), .violation(.requestID)),
    Row("abort of another request", Records.begin(1) + Records.record(2, 2), .violation(.requestID)),
    Row("abort with content", Records.begin() + Records.record(2, 1, [0]), .violation(.length)),
    Row("end request", Records.record(3, 1, [UInt8](repeating: 0, count: 8)), .violation(.type)),
    Row("stdout", Records.record(6, 1, [0]), .violation(.type)),
    Row("stderr", Records.record(7, 1, [0]), .violation(.type)),
    Row("data", Records.begin() + Records.params([]) + Records.record(8), .violation(.type)),
    Row("unknown type of a request", Records.record(12, 1), .violation(.type)),
    Row("type 0 of a request", Records.record(0, 1), .violation(.type)),
    Row("get values of a request", Records.record(9, 1), .violation(.requestID)),
    Row("long get values", Records.record(9, 0, [UInt8](repeating: 0, count: 513)), .violation(.length)),
    Row("long unknown type", Records.record(77, 0, [UInt8](repeating: 0, count: 65535)), .violation(.length)),
  ]

  static let refusals: [Row] = [
    .params("a lonely length", [1], .malformedParameters),
    .params("a name without bytes", [1, 0], .malformedParameters),
    .params("a value without bytes", [1, 1, 0x41], .malformedParameters),
    .params("half a long length", [1, 0x80, 0, 0], .malformedParameters),
    .params("a name of two gigabytes", [0xff, 0xff, 0xff, 0xff, 0, 0x41], .malformedParameters),
    .params(
      "lengths whose sum overflows 32 bits", [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], .malformedParameters),
    .params("an empty name", [0, 1, 0x41], .malformedParameters),
    .params("nothing as name and value", [0, 0], .malformedParameters),
    .params("NUL in a name", [3, 0, 0x41, 0, 0x42], .malformedParameters),
    .params("NUL in a value", [1, 3, 0x41, 0x41, 0, 0x42], .malformedParameters),
    .params("an equals sign in a name", Records.pair("USER=root", ""), .malformedParameters),
    .params("a negative length", Records.pair("CONTENT_LENGTH", "-1"), .malformedParameters),
    .params("a length in words", Records.pair("CONTENT_LENGTH", "ten"), .malformedParameters),
    .params("a length with a space", Records.pair("CONTENT_LENGTH", " 1"), .malformedParameters),
    .params("a length beyond integers", Records.pair("CONTENT_LENGTH", "9223372036854775808"), .malformedParameters),
    .params(
      "two lengths", Records.pairs([("CONTENT_LENGTH", "0"), ("CONTENT_LENGTH", "5")]), .malformedParameters),
    .params("129 names", Records.pairs((0..<129).map { ("N\($0)", "") }), .tooManyParameters),
    .params("64 KiB and a byte", Records.pair("A", String(repeating: "x", count: 65531)), .tooManyParameters),
    Row(
      "fewer bytes than declared", Records.request(body: [1, 2], contentLength: "3"),
      .refused(.bodyLengthMismatch, id: 1)),
    Row(
      "more bytes than declared", Records.request(body: [1, 2], contentLength: "1"),
      .refused(.bodyLengthMismatch, id: 1)),
    Row(
      "a body where none is declared", Records.request(body: [1], contentLength: "0"),
      .refused(.bodyLengthMismatch, id: 1)),
    Row(
      "a large body that is not there", Records.request(contentLength: "9000000000"),
      .refused(.bodyLengthMismatch, id: 1)),
    Row("authorizer", Records.begin(5, role: 2), .unknownRole(id: 5)),
    Row("filter", Records.begin(5, role: 3), .unknownRole(id: 5)),
    Row("role 0", Records.begin(5, role: 0), .unknownRole(id: 5)),
    Row("role 257", Records.begin(5, role: 257), .unknownRole(id: 5)),
  ]

  @Test(arguments: violations + refusals) func badInputNeverBecomesARequest(row: Row) {
    #expect(Records.outcomes(row.bytes) == [row.expected])
    #expect(Records.outcomes(row.bytes, pieces: { _ in 1 }) == [row.expected], "byte by byte")
  }

  @Test func limitsAreReachedExactly() throws {
    let names = Records.pairs((0..<127).map { ("N\($0)", "") })
    #expect(
      Records.outcomes(Records.begin() + Records.params(names + Records.pair("M", "")) + Records.stdin([])).count == 1)
    let full = Records.pair("A", String(repeating: "x", count: 65536 - 6))
    #expect(full.count == 65536)
    let outcome = try #require(Records.outcomes(Records.begin() + Records.params(full) + Records.stdin([])).first)
    guard case .request(let request) = outcome else {
      Issue.record("\(outcome)")
      return
    }
    #expect(request.parameters == full)
  }

  @Test(arguments: [
    (262144, false, 262144), (262145, true, 0), (8 * 1024 * 1024, true, 0),
  ]) func aBodyOverTheLimitIsReadAndDropped(count: Int, isTooLarge: Bool, kept: Int) throws {
    let outcomes = Records.outcomes(Records.request(body: [UInt8](repeating: 7, count: count)))
    guard case .request(let request) = try #require(outcomes.first) else {
      Issue.record("\(outcomes)")
      return
    }
    #expect(request.isBodyTooLarge == isTooLarge)
    #expect(request.body.count == kept)
    #expect(request.declaredBodyLength == count)
  }

  @Test func aBodyOverAllLimitsEndsTheConnection() {
    let body = [UInt8](repeating: 7, count: 8 * 1024 * 1024 + 1)
    #expect(Records.outcomes(Records.request(body: body)) == [.violation(.bodyOverAllLimits)])
  }

  /// nginx knows no length of a body that it passes on as it comes.
  @Test func aBodyOfUnknownLengthIsTaken() throws {
    let outcomes = Records.outcomes(Records.request(body: [1, 2, 3], contentLength: ""))
    guard case .request(let request) = try #require(outcomes.first) else {
      Issue.record("\(outcomes)")
      return
    }
    #expect(request.declaredBodyLength == nil)
    #expect(request.body == [1, 2, 3])
  }

  @Test func managementRecordsAreAnsweredAnywhere() {
    let values = Records.pair("FCGI_MAX_CONNS", "")
    let bytes =
      Records.record(9, 0, values, padding: 3) + Records.begin(3, keeps: true) + Records.record(42, 0, [1, 2])
      + Records.params([], 3) + Records.record(10, 0) + Records.stdin([], 3)
    let request = RequestReader.CheckedRequest(
      id: 3, keepsConnection: true, parameters: [], body: [], declaredBodyLength: nil, isBodyTooLarge: false)
    #expect(
      Records.outcomes(bytes) == [.getValues(values), .unknownType(42), .unknownType(10), .request(request)])
  }

  @Test func managementRecordsWithoutEndAreAViolation() {
    let bytes = (0..<17).flatMap { _ in Records.record(9, 0) }
    let outcomes = Records.outcomes(bytes)
    #expect(outcomes.count == 17)
    #expect(outcomes.last == .violation(.tooMuchManagement))
  }

  @Test func anAbortedRequestLeavesNothingBehind() {
    let begun = Records.begin(4, keeps: true) + Records.params(Records.pair("A", "old"), 4)
    let bytes = begun + Records.record(5, 4, [1, 2, 3]) + Records.record(2, 4) + Records.request([("B", "new")])
    let outcomes = Records.outcomes(bytes)
    #expect(outcomes.first == .aborted(id: 4, keepsConnection: true))
    #expect(outcomes.dropFirst().first == Records.outcomes(Records.request([("B", "new")])).first)
  }

  @Test func anAbortThatComesTooLateIsPassedOver() {
    #expect(Records.outcomes(Records.request() + Records.record(2, 1) + Records.request()).count == 2)
  }

  static let wellFormed: [UInt8] =
    Records.record(9, 0, Records.pair("FCGI_MPXS_CONNS", ""), padding: 5) + Records.begin(513, keeps: true)
    + Records.record(
      4, 513, Array(Records.pairs([("A", "1"), ("LONG", String(repeating: "v", count: 300))])[..<40]), padding: 255)
    + Records.record(4, 513, Array(Records.pairs([("A", "1"), ("LONG", String(repeating: "v", count: 300))])[40...]))
    + Records.record(4, 513) + Records.record(5, 513, [9, 8, 7], padding: 1) + Records.record(5, 513)

  @Test func theCutsDoNotMatter() {
    let whole = Records.outcomes(Self.wellFormed)
    #expect(whole.count == 2)
    for size in 1..<Self.wellFormed.count {
      #expect(Records.outcomes(Self.wellFormed, pieces: { _ in size }) == whole)
    }
  }

  @Test func aTruncatedRequestIsNeverComplete() {
    for end in 0..<Self.wellFormed.count {
      let outcomes = Records.outcomes(Array(Self.wellFormed[..<end]))
      #expect(!outcomes.contains { if case .request = $0 { true } else { false } }, "cut at \(end)")
    }
  }

  @Test func theStateBetweenRequestsIsKnown() {
    var reader = RequestReader(limits: Limits())
    #expect(reader.isBetweenRequests && reader.requestID == nil)
    let bytes = Records.request(id: 9)
    for count in 1..<bytes.count {
      var range = (count - 1)..<count
      #expect(reader.read(bytes, &range) == .incomplete)
      #expect(!reader.isBetweenRequests)
      #expect(reader.requestID == (count < 16 ? nil : 9))
    }
    var range = (bytes.count - 1)..<bytes.count
    _ = reader.read(bytes, &range)
    #expect(reader.isBetweenRequests && reader.requestID == nil)
  }
}
