package import Testing

/// What came back for a request, as its bytes were.
package struct Answer: Sendable {
  package let status: Int
  package let headers: [(name: String, value: String)]
  package let body: [UInt8]
  /// What the log is told of it, in this process alone.
  package var note: String?

  package init(status: Int, headers: [(name: String, value: String)], body: [UInt8]) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  /// The first header of this name, in any case.
  package subscript(name: String) -> String? { all(name).first }

  package func all(_ name: String) -> [String] {
    headers.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
  }

  package var text: String { String(decoding: body, as: UTF8.self) }
  /// The body; `absent` where it is no JSON.
  package var json: JSON { (try? JSON(body)) ?? .absent }
  package var code: String? { json["code"].string }
  package var pointers: [String?] { json["errors"].elements.map(\.["pointer"].string) }
  package var codes: [String?] { json["errors"].elements.map(\.["code"].string) }
  package var skus: [String] { json.skus }

  package func line(_ sku: String) -> JSON { json.line(sku) }
}

/// The answer is this problem, in the form of RFC 9457 that all of them have.
@discardableResult
package func expectProblem(
  _ answer: Answer, _ status: Int, _ code: String, pointer: String? = nil, hasCart: Bool? = nil,
  sourceLocation: SourceLocation = #_sourceLocation
) -> JSON {
  let comment = Comment(rawValue: String(answer.text.prefix(400)))
  #expect(answer.status == status, comment, sourceLocation: sourceLocation)
  #expect(answer["Content-Type"] == "application/problem+json", sourceLocation: sourceLocation)
  #expect(answer["Set-Cookie"] == nil, sourceLocation: sourceLocation)
  let problem = answer.json
  #expect(
    problem.keys.subtracting(["cart"]) == ["type", "title", "status", "code", "detail", "requestId", "errors"],
    comment, sourceLocation: sourceLocation)
  #expect(problem["type"] == "about:blank", sourceLocation: sourceLocation)
  #expect(problem["status"] == .int(status), sourceLocation: sourceLocation)
  #expect(problem["title"].string?.isEmpty == false, sourceLocation: sourceLocation)
  #expect(problem["detail"].string != nil, sourceLocation: sourceLocation)
  #expect(answer.code == code, comment, sourceLocation: sourceLocation)
  #expect(answer.codes.first == code, comment, sourceLocation: sourceLocation)
  #expect(problem["requestId"].string == answer["Request-Id"], sourceLocation: sourceLocation)
  #expect(problem["requestId"].string?.isEmpty == false, sourceLocation: sourceLocation)
  if let pointer { #expect(answer.pointers.first == pointer, comment, sourceLocation: sourceLocation) }
  if let hasCart { #expect((problem["cart"] != .absent) == hasCart, comment, sourceLocation: sourceLocation) }
  if problem["cart"] != .absent { CartShape.check(problem["cart"], sourceLocation: sourceLocation) }
  return problem
}
