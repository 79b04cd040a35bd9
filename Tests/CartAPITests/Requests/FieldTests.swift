import CartAPI
import CartDomain
import Testing

/// The fields of bodies: every fault is told, with its place.
@Suite struct Fields {
  let shop: Shop

  init() throws {
    shop = try Shop()
    try shop.sell("A")
    shop.send("POST", "/v1/cart/lines", #"{"sku":"A","quantity":2}"#, user: "u")
  }

  private func send(_ method: String, _ target: String, _ body: String) -> Answer {
    shop.send(method, target, body, user: "u")
  }

  private func expectUntouched(sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(shop.send("GET", "/v1/cart", user: "u").json["version"] == 1, sourceLocation: sourceLocation)
  }

  @Test(arguments: [
    ("{}", "invalid_field", "/sku"), (#"{"quantity":1}"#, "invalid_field", "/sku"),
    (#"{"sku":null}"#, "invalid_field", "/sku"), (#"{"sku":7}"#, "invalid_field", "/sku"),
    (#"{"sku":""}"#, "invalid_field", "/sku"), (#"{"sku":" a"}"#, "invalid_field", "/sku"),
    (#"{"sku":"a\u0001"}"#, "invalid_field", "/sku"), (#"{"sku":"a/../b"}"#, "invalid_field", "/sku"),
    (#"{"lines":[]}"#, "invalid_field", "/lines"), (#"{"lines":null}"#, "invalid_field", "/lines"),
    (#"{"lines":{}}"#, "invalid_field", "/lines"), (#"{"lines":[[]]}"#, "invalid_field", "/lines/0"),
    (#"{"lines":[{"sku":"A"},{}]}"#, "invalid_field", "/lines/1/sku"),
    (#"{"sku":"A","lines":[{"sku":"A"}]}"#, "invalid_field", "/sku"),
    (#"{"lines":[{"sku":"A"}],"extraData":{}}"#, "invalid_field", "/extraData"),
    (#"{"lines":[{"sku":"A"}],"x":1}"#, "unknown_field", "/x"),
    (#"{"sku":"A","extraData":null}"#, "invalid_field", "/extraData"),
    (#"{"sku":"A","extraData":[]}"#, "invalid_field", "/extraData"),
    (#"{"sku":"A","unitPrice":1}"#, "unknown_field", "/unitPrice"), (#"{"sku":"A","":1}"#, "unknown_field", "/"),
    (#"{"sku":"A","a~/b":1}"#, "unknown_field", "/a~0~1b"), ("[]", "invalid_field", ""), ("null", "invalid_field", ""),
    (#""A""#, "invalid_field", ""), ("-1e5", "invalid_field", ""),
  ])
  func anAddNeedsItsFields(body: String, code: String, pointer: String) {
    expectProblem(send("POST", "/v1/cart/lines", body), 422, code, pointer: pointer, hasCart: false)
    expectUntouched()
  }

  @Test(arguments: [
    ("{}", "invalid_field", ""), (#"{"quantity":1,"delta":1}"#, "invalid_field", "/delta"),
    (#"{"selected":1}"#, "invalid_field", "/selected"), (#"{"selected":null}"#, "invalid_field", "/selected"),
    (#"{"extraData":"x"}"#, "invalid_field", "/extraData"), (#"{"sku":"A"}"#, "unknown_field", "/sku"),
    ("[]", "invalid_field", ""), ("1", "invalid_field", ""), (#"{"quantity":-1}"#, "invalid_quantity", "/quantity"),
    (#"{"delta":-1000001}"#, "invalid_quantity", "/delta"),
  ])
  func anEditNeedsItsFields(body: String, code: String, pointer: String) {
    expectProblem(send("PATCH", "/v1/cart/lines/A", body), 422, code, pointer: pointer)
    expectUntouched()
  }

  @Test(arguments: [
    "null", #""1""#, "1.5", "2.0", "1e2", "1000001", "9223372036854775807", "true", "[]", "{}", "-0.0",
  ])
  func aQuantityIsAWholeNumber(text: String) {
    let add = #"{"sku":"A","quantity":\#(text)}"#
    expectProblem(send("POST", "/v1/cart/lines", add), 422, "invalid_quantity", pointer: "/quantity")
    expectProblem(
      send("POST", "/v1/cart/lines", #"{"lines":[\#(add)]}"#), 422, "invalid_quantity", pointer: "/lines/0/quantity")
    expectProblem(
      send("PATCH", "/v1/cart/lines/A", #"{"quantity":\#(text)}"#), 422, "invalid_quantity", pointer: "/quantity")
    expectProblem(send("PATCH", "/v1/cart/lines/A", #"{"delta":\#(text)}"#), 422, "invalid_quantity", pointer: "/delta")
    expectUntouched()
  }

  @Test func nothingCannotBeAdded() {
    expectProblem(send("POST", "/v1/cart/lines", #"{"sku":"A","quantity":0}"#), 422, "invalid_quantity")
    expectProblem(send("POST", "/v1/cart/lines", #"{"sku":"A","quantity":-1}"#), 422, "invalid_quantity")
    for text in ["9223372036854775808", "1e400"] {
      expectProblem(send("POST", "/v1/cart/lines", #"{"sku":"A","quantity":\#(text)}"#), 400, "malformed_json")
    }
  }

  @Test func everyFaultIsTold() {
    let body = #"{"lines":[{"quantity":0,"sku":"A","x":1},{"sku":1},"b",{"sku":"B","extraData":{"stock":1}}]}"#
    let answer = send("POST", "/v1/cart/lines", body)
    expectProblem(answer, 422, "invalid_quantity")
    #expect(
      answer.pointers == ["/lines/0/quantity", "/lines/0/x", "/lines/1/sku", "/lines/2", "/lines/3/extraData/stock"])
    #expect(
      answer.codes == ["invalid_quantity", "unknown_field", "invalid_field", "invalid_field", "reserved_key"])
    #expect(answer.json["errors"].elements.map(\.["sku"]) == ["A", "A", .absent, .absent, "B"])
  }

  @Test func notMoreFaultsAreToldThanAnybodyReads() {
    let members = (0..<5_000).map { "\"f\($0)\":1" }.joined(separator: ",")
    #expect(send("POST", "/v1/cart/lines", "{\(members)}").codes.count == 100)
  }

  @Test func aHundredEntriesAreTheMost() {
    let body = #"{"lines":[\#(Array(repeating: #"{"sku":"A"}"#, count: 101).joined(separator: ","))]}"#
    let answer = send("POST", "/v1/cart/lines", body)
    expectProblem(answer, 422, "too_many_lines", pointer: "/lines", hasCart: false)
    #expect(answer.json["errors"][0]["limit"] == 100)
    let many = (0..<2_001).map { "\"s\($0)\"" }.joined(separator: ",")
    expectProblem(
      send("PUT", "/v1/cart/selection", #"{"selected":true,"skus":[\#(many)]}"#), 422, "too_many_lines",
      pointer: "/skus")
  }

  @Test(arguments: [
    "", " ", "{", "{} {}", #"{"sku":"A","sku":"A"}"#, #"{"extraData":{"k":"\ud800"}}"#, "{}\u{0}", "\u{FEFF}{}",
    #"{"extraData":{"k":"\u0000"}}"#, "sku=A", String(repeating: "[", count: 5_000),
    String(repeating: #"{"a":"#, count: 40) + "1" + String(repeating: "}", count: 40),
  ])
  func whatIsNoJSON(text: String) {
    for (method, target) in [
      ("POST", "/v1/cart/lines"), ("PATCH", "/v1/cart/lines/A"), ("PUT", "/v1/cart/selection"),
      ("POST", "/v1/cart/prices/acknowledge"),
    ] {
      expectProblem(send(method, target, text), 400, "malformed_json", pointer: "", hasCart: false)
    }
    expectUntouched()
  }
}
