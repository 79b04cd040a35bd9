import TestSupport
import Testing

/// Bodies that are no JSON, or not the JSON that is due: every fault is told, with its place, and nothing changes.
@Suite struct Bodies {
  let shop: any ShopUnderTest
  /// Has two of "t-a".
  let user: Shopper

  init() throws {
    shop = try openShop()
    user = shop.newUser()
    try user.add("t-a", 2)
  }

  private func expectUntouched(sourceLocation: SourceLocation = #_sourceLocation) throws {
    let cart = try user.cart()
    #expect(cart["version"] == 1 && cart.line("t-a")["quantity"] == 2, sourceLocation: sourceLocation)
  }

  /// Sends each body to each request that takes one.
  private func expectRefused(
    _ bodies: [[UInt8]], _ status: Int, _ codes: Set<String>, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    for body in bodies {
      for (method, target) in [
        ("POST", "/v1/cart/lines"), ("PATCH", "/v1/cart/lines/t-a"), ("PUT", "/v1/cart/selection"),
        ("POST", "/v1/cart/prices/acknowledge"),
      ] {
        let answer = try user.send(method, target, bytes: body)
        let code = answer.code ?? ""
        let shown = String(decoding: body.prefix(80), as: UTF8.self)
        #expect(codes.contains(code), "\(method) \(target) \(shown): \(code)", sourceLocation: sourceLocation)
        expectProblem(
          answer, status, code, pointer: status == 400 ? "" : nil, hasCart: false, sourceLocation: sourceLocation)
      }
    }
    try expectUntouched(sourceLocation: sourceLocation)
  }

  private func expectMalformed(_ bodies: [[UInt8]], sourceLocation: SourceLocation = #_sourceLocation) throws {
    try expectRefused(bodies, 400, ["malformed_json"], sourceLocation: sourceLocation)
  }

  @Test func whatIsNoJSON() throws {
    let texts = [
      "", " ", "{", "}", "{}}", "{} {}", "{\"sku\"}", "{\"sku\":}", "{'sku':'a'}", "{sku:1}", "[1,]", "{\"a\":1,}",
      "nul", "NaN", "Infinity", "-", "01", "1.", ".5", "+1", "0x1", "1e", "\"open", "\"\\x\"", "\"\\u12\"",
      "\"tab\tinside\"", "// comment\n{}", "{} // comment", "\u{FEFF}{}", "sku=1&quantity=2", "<cart/>",
    ]
    try expectMalformed(texts.map { Array($0.utf8) })
  }

  @Test func aRepeatedName() throws {
    let texts = [
      #"{"sku":"a","sku":"a"}"#, #"{"quantity":1,"quantity":2}"#, #"{"extraData":{"a":1,"a":1}}"#,
      #"{"lines":[{"sku":"a","sku":"b"}]}"#, "{\"a\":1,\"\\u0061\":2}", #"{"x":{"y":{"z":1,"z":2}}}"#,
    ]
    try expectMalformed(texts.map { Array($0.utf8) })
  }

  @Test func bytesThatAreNotUTF8() throws {
    let broken: [[UInt8]] = [
      [0xFF], [0xC3], [0xC0, 0xAF], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80],
      [0xF4, 0x90, 0x80, 0x80], [0x80],
    ]
    let bodies = broken.map { Array("{\"extraData\":{\"k\":\"".utf8) + $0 + Array("\"}}".utf8) }
    let names = broken.map { Array("{\"".utf8) + $0 + Array("\":1}".utf8) }
    try expectMalformed(bodies + names + broken)
  }

  @Test func loneSurrogatesAndNULs() throws {
    let texts = [
      #"{"extraData":{"k":"\ud800"}}"#, #"{"extraData":{"k":"\udc00\ud800"}}"#, #"{"sku":"\uDBFF"}"#,
      #"{"sku":"a\u0000b"}"#, #"{"extraData":{"k":"\u0000"}}"#, #"{"extraData":{"\u0000":1}}"#,
      "\0", "{}\0", "{\"sku\":\"a\0b\"}", "\0{}",
    ]
    try expectMalformed(texts.map { Array($0.utf8) })
  }

  @Test func whatNestsTooDeep() throws {
    func nested(_ depth: Int, _ open: String, _ close: String) -> [UInt8] {
      Array((String(repeating: open, count: depth) + "1" + String(repeating: close, count: depth)).utf8)
    }
    try expectMalformed([
      nested(5_000, "[", ""), nested(100_000, "[", ""), nested(5_000, "[", "]"), nested(100_000, "[", "]"),
      nested(40, #"{"a":"#, "}"), Array(#"{"extraData":"#.utf8) + nested(5_000, #"{"a":"#, "}") + Array("}".utf8),
    ])
  }

  @Test func whatIsNoObject() throws {
    let texts = ["null", "true", "1", "\"text\"", "[]", "[{\"sku\":\"a\"}]", "-1e5", "\u{20}\n[ ]"]
    try expectRefused(texts.map { Array($0.utf8) }, 422, ["invalid_field"])
  }

  @Test func unknownFields() throws {
    let texts = [
      #"{"surplus":1}"#, #"{"sku":"a","quantity":1,"unitPrice":1}"#, #"{"quantity":1,"version":3}"#,
      #"{"selected":true,"all":true,"force":true}"#, #"{"skus":["a"],"Skus":["b"]}"#, #"{"":1}"#,
    ]
    // Beside a field that one of the requests does not know, others may lack one that they need.
    try expectRefused(texts.map { Array($0.utf8) }, 422, ["unknown_field", "invalid_field"])
  }

  // MARK: Fields of an add

  private func expectRefusedAdd(
    _ body: String, _ status: Int, _ code: String, pointer: String? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    try expectProblem(
      user.send("POST", "/v1/cart/lines", text: body), status, code, pointer: pointer, hasCart: false,
      sourceLocation: sourceLocation)
    try expectUntouched(sourceLocation: sourceLocation)
  }

  @Test(arguments: [
    ("{}", "/sku"), (#"{"quantity":1}"#, "/sku"), (#"{"sku":null}"#, "/sku"), (#"{"sku":7}"#, "/sku"),
    (#"{"sku":""}"#, "/sku"), (#"{"sku":["a"]}"#, "/sku"), (#"{"sku":" a"}"#, "/sku"), (#"{"sku":"a "}"#, "/sku"),
    (#"{"sku":"a\u0001"}"#, "/sku"), (#"{"sku":"a\u007f"}"#, "/sku"), (#"{"sku":"a\nb"}"#, "/sku"),
    (#"{"sku":"."}"#, "/sku"), (#"{"sku":".."}"#, "/sku"), (#"{"sku":"a/../b"}"#, "/sku"),
    (#"{"sku":"./a"}"#, "/sku"), (#"{"sku":"a/."}"#, "/sku"),
    (#"{"sku":"12345678901234567890123456789012345678901234567890123456789012345"}"#, "/sku"),
    (#"{"lines":[]}"#, "/lines"), (#"{"lines":null}"#, "/lines"), (#"{"lines":{}}"#, "/lines"),
    (#"{"lines":"a"}"#, "/lines"), (#"{"lines":[null]}"#, "/lines/0"), (#"{"lines":[[]]}"#, "/lines/0"),
    (#"{"lines":[{}]}"#, "/lines/0/sku"), (#"{"lines":[{"quantity":1}]}"#, "/lines/0/sku"),
    (#"{"lines":[{"sku":"t-a"},"b"]}"#, "/lines/1"), (#"{"lines":[{"sku":"t-a"},{}]}"#, "/lines/1/sku"),
    (#"{"sku":"t-a","lines":[{"sku":"t-a"}]}"#, "/sku"),
    (#"{"lines":[{"sku":"t-a"}],"extraData":{}}"#, "/extraData"),
    (#"{"sku":"t-a","extraData":null}"#, "/extraData"), (#"{"sku":"t-a","extraData":[]}"#, "/extraData"),
    (#"{"sku":"t-a","extraData":"x"}"#, "/extraData"),
  ])
  func anAddNeedsItsFields(body: String, pointer: String) throws {
    try expectRefusedAdd(body, 422, "invalid_field", pointer: pointer)
  }

  /// No price is taken from a client either.
  @Test(arguments: [
    "unitPrice", "price", "lineTotal", "currency", "merchantId", "snapshot", "selected", "", "x", "a~/b",
  ])
  func anAddTakesNoOtherFields(name: String) throws {
    let pointer = name.replacing("~", with: "~0").replacing("/", with: "~1")
    let entry = #"{"sku":"t-a","\#(name)":1}"#
    try expectRefusedAdd(entry, 422, "unknown_field", pointer: "/\(pointer)")
    try expectRefusedAdd(
      #"{"lines":[{"sku":"t-b"},\#(entry)]}"#, 422, "unknown_field", pointer: "/lines/1/\(pointer)")
    try expectRefusedAdd(#"{"lines":[{"sku":"t-b"}],"x":1}"#, 422, "unknown_field", pointer: "/x")
  }

  @Test func everyFaultIsTold() throws {
    let body = #"{"lines":[{"quantity":0,"sku":"A","x":1},{"sku":1},"b",{"sku":"B","extraData":{"stock":1}}]}"#
    let answer = try user.send("POST", "/v1/cart/lines", text: body)
    expectProblem(answer, 422, "invalid_quantity")
    #expect(
      answer.pointers == ["/lines/0/quantity", "/lines/0/x", "/lines/1/sku", "/lines/2", "/lines/3/extraData/stock"])
    #expect(answer.codes == ["invalid_quantity", "unknown_field", "invalid_field", "invalid_field", "reserved_key"])
    #expect(answer.json["errors"].elements.map(\.["sku"]) == ["A", "A", .absent, .absent, "B"])
    // Not more than anybody reads.
    let members = (0..<5_000).map { "\"f\($0)\":1" }.joined(separator: ",")
    #expect(try user.send("POST", "/v1/cart/lines", text: "{\(members)}").codes.count == 100)
  }

  @Test(arguments: [
    "null", "\"1\"", "1.5", "2.0", "1e2", "1000001", "2147483648", "9223372036854775807", "true", "[]", "{}", "0.9",
    "-0.0", "-1",
  ])
  func aQuantityIsAWholeNumber(text: String) throws {
    let add = #"{"sku":"t-a","quantity":\#(text)}"#
    for (method, target, body, pointer) in [
      ("POST", "/v1/cart/lines", add, "/quantity"),
      ("POST", "/v1/cart/lines", #"{"lines":[\#(add)]}"#, "/lines/0/quantity"),
      ("PATCH", "/v1/cart/lines/t-a", #"{"quantity":\#(text)}"#, "/quantity"),
      ("PATCH", "/v1/cart/lines/t-a", #"{"delta":\#(text == "-1" ? "-1000001" : text)}"#, "/delta"),
    ] {
      try expectProblem(user.send(method, target, text: body), 422, "invalid_quantity", pointer: pointer)
    }
    try expectUntouched()
  }

  @Test func nothingCannotBeAdded() throws {
    try expectRefusedAdd(#"{"sku":"t-a","quantity":0}"#, 422, "invalid_quantity")
  }

  @Test(arguments: [
    "9223372036854775808", "-9223372036854775809", "1e400", "-1e400", "1" + String(repeating: "0", count: 400),
  ])
  func aNumberBeyondTheParser(text: String) throws {
    try expectRefusedAdd(#"{"sku":"t-a","quantity":\#(text)}"#, 400, "malformed_json")
    try expectProblem(
      user.send("PATCH", "/v1/cart/lines/t-a", text: #"{"delta":\#(text)}"#), 400, "malformed_json")
    try expectUntouched()
  }

  // MARK: Size, type, presence

  @Test func aBodyEndsAt256KiB() throws {
    let text = Array(#"{"sku":"t-a"}"#.utf8)
    let fits = text + [UInt8](repeating: 0x20, count: 256 * 1_024 - text.count)
    #expect(try user.send("POST", "/v1/cart/lines", bytes: fits).status == 200)
    try expectProblem(user.send("POST", "/v1/cart/lines", bytes: fits + [0x20]), 413, "body_too_large")
    let huge = [UInt8](repeating: UInt8(ascii: "["), count: 3_000_000)
    try expectProblem(user.send("POST", "/v1/cart/lines", bytes: huge), 413, "body_too_large")
    #expect(try user.cart().line("t-a")["quantity"] == 3)
  }

  @Test(arguments: [
    "application/json", "application/json; charset=utf-8", "Application/JSON", "application/json;charset=UTF-8",
    "Application/JSON ; Charset=UTF-8", "application/json;charset=\"utf-8\"", "application/json;",
    "application/json; profile=x",
  ])
  func theTypeIsJSON(type: String) throws {
    let answer = try user.send("POST", "/v1/cart/lines", ["sku": "t-a"], headers: ["Content-Type": type])
    #expect(answer.status == 200)
  }

  @Test(arguments: [
    "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json",
    "application/jsonx", "application/xml", "application/problem+json", "json", "text/plain; application/json",
    "application/json; charset=latin1", "application/json, text/plain", ";",
  ])
  func anotherTypeIsRefused(type: String) throws {
    let headers: KeyValuePairs = ["Content-Type": type]
    try expectProblem(user.send("POST", "/v1/cart/lines", ["sku": "t-a"], headers: headers), 415, "not_json")
    // Without a body no type is wrong; what is missing is the body.
    try expectProblem(user.send("POST", "/v1/cart/lines", text: "", headers: headers), 400, "malformed_json")
    try expectUntouched()
  }

  @Test func aDeleteTakesNoBody() throws {
    for target in ["/v1/cart", "/v1/cart/lines/t-a", "/v1/cart/lines?selected=true"] {
      for text in ["{}", "{\"sku\":\"x\"}", " "] {
        try expectProblem(user.send("DELETE", target, text: text), 400, "malformed_request")
      }
    }
    try expectUntouched()
    #expect(try user.send("GET", "/v1/cart", text: "not json").status == 200)
    for target in ["/v1/cart", "/v1/cart/lines/t-a", "/v1/cart/lines?selected=true"] {
      #expect(try user.send("DELETE", target, text: "").status == 200)
    }
  }
}
