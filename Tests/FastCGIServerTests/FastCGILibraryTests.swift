import Testing

@testable import FastCGIServer

@Suite(.serialized) struct FastCGILibraryTests {
  private let library: FastCGILibrary

  init() throws {
    library = try FastCGILibrary()
  }

  private func checked(_ parameters: [(String, String)], _ body: [UInt8]) throws -> RequestReader.CheckedRequest {
    let outcome = try #require(Records.outcomes(Records.request(parameters, body: body)).first)
    guard case .request(let request) = outcome else {
      Issue.record("\(outcome)")
      throw RefusalError(.malformedParameters)
    }
    return request
  }

  @Test(arguments: [0, 1, 7, 8, 8191, 8192, 8193, 65528, 65529, 262143, 262144])
  func aRequestComesOutAsItWentIn(bodyCount: Int) throws {
    let body = (0..<bodyCount).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    let parameters = [
      ("REQUEST_METHOD", "POST"), ("EMPTY", ""), ("EQUALS", "a=b=c"), ("HTTP_X", String(repeating: "ü", count: 3000)),
    ]
    let request = try library.parse(try checked(parameters, body))
    #expect(request.body == body)
    for (name, value) in parameters { #expect(request.parameter(name) == value) }
    #expect(request.parameter("CONTENT_LENGTH") == (bodyCount == 0 ? "" : "\(bodyCount)"))
    #expect(request.parameter("FCGI_ROLE") == "RESPONDER")
    #expect(request.parameter("REQUEST") == nil)
    #expect(request.parameters.count == parameters.count + 2)
  }

  @Test func bytesThatAreNotUTF8Stay() throws {
    var checked = try checked([], [])
    checked.parameters = [1, 3, 0x41, 0xff, 0xfe, 0x3d]
    let request = try library.parse(checked)
    #expect(request.bytes("A").map(Array.init) == [0xff, 0xfe, 0x3d])
    #expect(request.parameter("A") == "\u{fffd}\u{fffd}=")
  }

  @Test func ofTwoWithOneNameTheFirstCounts() throws {
    #expect(try library.parse(try checked([("A", "1"), ("A", "2")], [])).parameter("A") == "1")
  }

  @Test func aLongRequestLeavesNothingForAShortOne() throws {
    _ = try library.parse(
      try checked([("LONG", String(repeating: "x", count: 60000))], [UInt8](repeating: 1, count: 200_000)))
    let request = try library.parse(try checked([("SHORT", "1")], [2]))
    #expect(request.body == [2])
    #expect(request.parameter("LONG") == nil)
  }

  /// Not reachable from outside: the gatekeeper lets no such pairs through. A mistake of ours must cost one answer, not
  /// the worker.
  @Test func whatLibfcgiRefusesIsAnErrorAndTheNextRequestWorks() throws {
    var wrong = try checked([("A", "1")], [])
    wrong.parameters = [1, 200]
    #expect(throws: FastCGILibrary.Failure.self) { try library.parse(wrong) }
    #expect(try library.parse(try checked([("B", "2")], [3])).parameter("B") == "2")
  }

  @Test func randomStreamsNeverTrapAndMeanTheSameHoweverTheyAreCut() throws {
    var random = RandomStream(seed: 20_260_101)
    var requests = 0
    for index in 0..<RandomStream.count(20_000) {
      let stream = random.next()
      let whole = Records.outcomes(stream)
      let cut = Records.outcomes(stream, pieces: random.pieces())
      if whole != cut { Issue.record("stream \(index) means something else when cut") }
      for case .request(let checked) in whole {
        requests += 1
        let request = try library.parse(checked)
        if request.body != checked.body { Issue.record("stream \(index): another body") }
        // The first is libfcgi's own, the role.
        let read = request.entries.dropFirst().map {
          [Array(request.storage[$0.name]), Array(request.storage[$0.value])]
        }
        let sent = NameValuePairs(checked.parameters).map {
          [Array(checked.parameters[$0.name]), Array(checked.parameters[$0.value])]
        }
        if read != sent { Issue.record("stream \(index): other parameters") }
      }
    }
    #expect(requests > 1000)
  }
}
