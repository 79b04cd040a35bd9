import Testing

extension EndToEnd {
  /// Bodies that are no JSON, or not the JSON that is due. Nothing changes, and no worker dies.
  @Suite struct Bodies {
    let products = Result { try SharedProducts.get() }

    /// Sends each body to each request that takes one, and expects the cart and the workers to be as before.
    private func refused(
      _ bodies: [[UInt8]], _ statuses: Set<Int>, _ codes: Set<String>, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
      let products = try products.get()
      let user = Shopper.newUser()
      let before = try user.add(products.a, 2)
      let workers = try TestSystem.workers()
      let targets = [
        ("POST", "/v1/cart/lines"), ("PATCH", linePath(products.a)), ("PUT", "/v1/cart/selection"),
        ("POST", "/v1/cart/prices/acknowledge"),
      ]
      for body in bodies {
        for (method, target) in targets {
          let answer = try user.send(method, target, bytes: body)
          let shown = "\(method) \(target) \(String(decoding: body.prefix(80), as: UTF8.self))"
          #expect(statuses.contains(answer.status), "\(shown)", sourceLocation: sourceLocation)
          let code = try answer.json["code"].string ?? ""
          #expect(codes.contains(code), "\(shown): \(code)", sourceLocation: sourceLocation)
          #expect(answer["Content-Type"]?.hasPrefix("application/problem+json") == true, sourceLocation: sourceLocation)
        }
      }
      #expect(try user.cart() == before, sourceLocation: sourceLocation)
      #expect(try TestSystem.workers() == workers, sourceLocation: sourceLocation)
    }

    @Test func whatIsNoJSON() throws {
      let texts = [
        "", " ", "{", "}", "{}}", "{} {}", "{\"sku\"}", "{\"sku\":}", "{'sku':'a'}", "{sku:1}", "[1,]", "{\"a\":1,}",
        "nul", "NaN", "Infinity", "-", "01", "1.", ".5", "+1", "0x1", "1e", "\"open", "\"\\x\"", "\"\\u12\"",
        "\"tab\tinside\"", "// comment\n{}", "{} // comment", "\u{FEFF}{}", "sku=1&quantity=2", "<cart/>",
      ]
      try refused(texts.map { Array($0.utf8) }, [400], ["malformed_json"])
    }

    @Test func aRepeatedName() throws {
      let texts = [
        #"{"sku":"a","sku":"a"}"#, #"{"quantity":1,"quantity":2}"#, #"{"extraData":{"a":1,"a":1}}"#,
        #"{"lines":[{"sku":"a","sku":"b"}]}"#, "{\"a\":1,\"\\u0061\":2}", #"{"x":{"y":{"z":1,"z":2}}}"#,
      ]
      try refused(texts.map { Array($0.utf8) }, [400], ["malformed_json"])
    }

    @Test func bytesThatAreNotUTF8() throws {
      let broken: [[UInt8]] = [
        [0xFF], [0xC3], [0xC0, 0xAF], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80],
        [0xF4, 0x90, 0x80, 0x80], [0x80],
      ]
      let bodies = broken.map { Array("{\"extraData\":{\"k\":\"".utf8) + $0 + Array("\"}}".utf8) }
      let names = broken.map { Array("{\"".utf8) + $0 + Array("\":1}".utf8) }
      try refused(bodies + names + broken, [400], ["malformed_json"])
    }

    @Test func loneSurrogatesAndNULs() throws {
      let texts = [
        #"{"extraData":{"k":"\ud800"}}"#, #"{"extraData":{"k":"\udc00\ud800"}}"#, #"{"sku":"\uDBFF"}"#,
        #"{"sku":"a\u0000b"}"#, #"{"extraData":{"k":"\u0000"}}"#, #"{"extraData":{"\u0000":1}}"#,
      ]
      let raw: [[UInt8]] = [
        [0x00], Array("{}".utf8) + [0], Array("{\"sku\":\"a".utf8) + [0] + Array("b\"}".utf8), [0] + Array("{}".utf8),
      ]
      try refused(texts.map { Array($0.utf8) } + raw, [400], ["malformed_json"])
    }

    @Test func whatNestsTooDeep() throws {
      let depths = [5_000, 100_000]
      var bodies: [[UInt8]] = []
      for depth in depths {
        bodies.append([UInt8](repeating: UInt8(ascii: "["), count: depth))
        bodies.append(
          [UInt8](repeating: UInt8(ascii: "["), count: depth) + [UInt8](repeating: UInt8(ascii: "]"), count: depth))
      }
      let objects = String(repeating: "{\"a\":", count: 5_000) + "1" + String(repeating: "}", count: 5_000)
      bodies.append(Array("{\"extraData\":".utf8) + Array(objects.utf8) + Array("}".utf8))
      try refused(bodies, [400], ["malformed_json"])
    }

    @Test func whatIsNoObject() throws {
      let texts = ["null", "true", "1", "\"text\"", "[]", "[{\"sku\":\"a\"}]", "-1e5", "\u{20}\n[ ]"]
      try refused(texts.map { Array($0.utf8) }, [422], ["invalid_field"])
    }

    @Test func unknownFields() throws {
      let texts = [
        #"{"surplus":1}"#, #"{"sku":"a","quantity":1,"unitPrice":1}"#, #"{"quantity":1,"version":3}"#,
        #"{"selected":true,"all":true,"force":true}"#, #"{"skus":["a"],"Skus":["b"]}"#, #"{"":1}"#,
      ]
      // Beside a field that one of the requests does not know, others may lack one that they need.
      try refused(texts.map { Array($0.utf8) }, [422], ["unknown_field", "invalid_field"])
    }

    @Test func noPriceIsTakenFromAClient() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      for field in ["unitPrice", "price", "lineTotal", "currency", "merchantId", "snapshot", "selected"] {
        let single: JSON = JSON.object(["sku": "\(products.a)"]).setting(field, 1)
        try expectProblem(
          user.send("POST", "/v1/cart/lines", single), 422, "unknown_field", pointer: "/\(field)")
        try expectProblem(
          user.send("POST", "/v1/cart/lines", ["lines": [["sku": "\(products.b)"], single]]), 422, "unknown_field",
          pointer: "/lines/1/\(field)")
      }
      #expect(try user.cart()["version"] == 0)
    }

    @Test(
      arguments: [
        ["quantity": 1], ["sku": nil], ["sku": 7], ["sku": ""], ["sku": ["a"]], ["sku": " a"], ["sku": "a "],
        ["sku": "a\u{1}"], ["sku": "a\u{7F}"], ["sku": "a\nb"], ["sku": "."], ["sku": ".."], ["sku": "a/../b"],
        ["sku": "./a"], ["sku": "a/."], ["sku": "12345678901234567890123456789012345678901234567890123456789012345"],
        ["lines": []], ["lines": nil], ["lines": [:]], ["lines": "a"], ["lines": [nil]], ["lines": [[]]],
        ["lines": [[:]]], ["lines": [["quantity": 1]]], ["lines": [["sku": "a"], "b"]],
        ["sku": "a", "lines": [["sku": "a"]]], ["sku": "a", "extraData": nil], ["sku": "a", "extraData": []],
        ["sku": "a", "extraData": "x"], [:],
      ] as [JSON])
    func anAddNeedsItsFields(body: JSON) throws {
      let user = Shopper.newUser()
      try expectProblem(user.send("POST", "/v1/cart/lines", body), 422, "invalid_field")
      #expect(try user.cart()["version"] == 0)
    }

    @Test(arguments: [
      "null", "\"1\"", "1.5", "2.0", "1e2", "-1", "1000001", "2147483648", "9223372036854775807", "true", "[]", "{}",
      "0.9", "-0.0",
    ])
    func aQuantityIsAWholeNumber(text: String) throws {
      let products = try products.get()
      let user = Shopper.newUser()
      let before = try user.add(products.a, 2)
      let add = #"{"sku":"\#(products.a)","quantity":\#(text)}"#
      let requests = [
        ("POST", "/v1/cart/lines", add, "/quantity"),
        ("POST", "/v1/cart/lines", #"{"lines":[\#(add)]}"#, "/lines/0/quantity"),
        ("PATCH", linePath(products.a), #"{"quantity":\#(text)}"#, "/quantity"),
        ("PATCH", linePath(products.a), #"{"delta":\#(text == "-1" ? "-1000001" : text)}"#, "/delta"),
      ]
      for (method, target, body, pointer) in requests {
        let answer = try user.send(method, target, bytes: Array(body.utf8))
        try expectProblem(answer, 422, "invalid_quantity", pointer: pointer)
      }
      #expect(try user.cart() == before)
    }

    @Test func nothingCannotBeAdded() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      try expectProblem(
        user.send("POST", "/v1/cart/lines", ["sku": "\(products.a)", "quantity": 0]), 422, "invalid_quantity")
    }

    @Test func numbersBeyondTheParser() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      let before = try user.add(products.a, 2)
      for text in [
        "9223372036854775808", "-9223372036854775809", "1e400", "-1e400", "1" + String(repeating: "0", count: 400),
      ] {
        let add = try user.send(
          "POST", "/v1/cart/lines", bytes: Array(#"{"sku":"\#(products.a)","quantity":\#(text)}"#.utf8))
        let patch = try user.send("PATCH", linePath(products.a), bytes: Array(#"{"delta":\#(text)}"#.utf8))
        for answer in [add, patch] {
          let code = try answer.json["code"]
          #expect(
            code == "invalid_quantity" && answer.status == 422 || code == "malformed_json" && answer.status == 400)
        }
      }
      #expect(try user.cart() == before)
    }

    // MARK: Size, type, presence

    @Test func aBodyEndsAt256KiB() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      let text = Array(JSON.object(["sku": "\(products.a)"]).description.utf8)
      let limit = 256 * 1_024
      let fits = text + [UInt8](repeating: 0x20, count: limit - text.count)
      #expect(try user.send("POST", "/v1/cart/lines", bytes: fits).status == 200)
      try expectProblem(user.send("POST", "/v1/cart/lines", bytes: fits + [0x20]), 413, "body_too_large")
      let huge = [UInt8](repeating: UInt8(ascii: "["), count: 3_000_000)
      try expectProblem(user.send("POST", "/v1/cart/lines", bytes: huge), 413, "body_too_large")
      #expect(try user.cart().line(products.a)["quantity"] == 1)
    }

    @Test func aBodyMayComeInChunks() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      var request = HTTPRequest(
        method: "POST", target: "/v1/cart/lines",
        headers: user.identity + [(name: "Content-Type", value: "application/json")])
      request.isChunked = true
      request.body = Array(JSON.bulk(products.many.prefix(100).map { ($0, 2) }).description.utf8)
      #expect(try user.send(request).json["counts"]["quantity"] == 200)
      request.body = [UInt8](repeating: 0x20, count: 300_000)
      try expectProblem(user.send(request), 413, "body_too_large")
    }

    @Test(arguments: [
      "application/json", "application/json; charset=utf-8", "Application/JSON", "application/json;charset=UTF-8",
    ])
    func theTypeIsJSON(type: String) throws {
      let products = try products.get()
      let answer = try Shopper.newUser().send(
        "POST", "/v1/cart/lines", ["sku": "\(products.a)"], headers: [(name: "Content-Type", value: type)])
      #expect(answer.status == 200)
    }

    @Test(arguments: [
      "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json",
      "application/jsonx", "application/xml", "json", "text/plain; application/json",
    ])
    func anotherTypeIsRefused(type: String) throws {
      let products = try products.get()
      let user = Shopper.newUser()
      let answer = try user.send(
        "POST", "/v1/cart/lines", ["sku": "\(products.a)"], headers: [(name: "Content-Type", value: type)])
      try expectProblem(answer, 415, "not_json")
      #expect(try user.cart()["version"] == 0)
    }

    @Test func aDeleteTakesNoBody() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      let before = try user.add(products.a)
      for target in ["/v1/cart", linePath(products.a), "/v1/cart/lines?selected=true"] {
        for text in ["{}", "{\"sku\":\"x\"}", " "] {
          try expectProblem(user.send("DELETE", target, bytes: Array(text.utf8)), 400, "malformed_request")
        }
      }
      #expect(try user.cart() == before)
      #expect(try user.send("DELETE", "/v1/cart", bytes: []).status == 200)
    }
  }
}
