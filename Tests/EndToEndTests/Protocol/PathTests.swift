import Testing

extension EndToEnd {
  /// The way in: paths, escapes, SKUs that need them, long lines, broken requests.
  @Suite struct Paths {
    let products = Result { try SharedProducts.get() }

    @Test(arguments: [
      "/v1", "/v1/", "/v1/cart/", "/v1//cart", "//v1/cart", "/v1/cart//lines", "/v1/cart/lines/", "/v1/cart/lines//x",
      "/v1/cart/lines/a/b", "/v1/cart/lines/a/", "/v1/carts", "/v1/Cart", "/v1/cart/line",
      "/v1/cart/./lines", "/v1/./cart", "/v1/cart/lines/../selection", "/v1/x/../cart", "/v1/cart/prices",
      "/v1/cart/prices/acknowledge/", "/v1/cart/selection/x", "/v1/cart;x", "/v1%2Fcart", "/v1/cart%2Flines",
      "/v1/cart%20", "/v1/cart%3Fview=summary",
    ])
    func whatIsNotThere(target: String) throws {
      for method in ["GET", "POST"] {
        let answer = try Shopper.newGuest().send(method, target, method == "POST" ? [:] : nil)
        try expectProblem(answer, 404, "not_found")
      }
    }

    @Test func anEncodedLetterIsTheLetter() throws {
      let answer = try Shopper.newGuest().send("GET", "/v1/c%61rt")
      #expect(answer.status == 200)
      #expect(try answer.json["lines"] == [])
    }

    @Test(arguments: ["%", "%4", "%zz", "%4g", "a%", "%ff", "%C3", "%C0%AF", "%ED%A0%80", "a%C3%28b", "%00", "a%00b"])
    func aBadEscapeIsAMalformedRequest(part: String) throws {
      let products = try products.get()
      let user = Shopper.newUser()
      let before = try user.add(products.a)
      for method in ["PATCH", "DELETE"] {
        let answer = try user.send(method, "/v1/cart/lines/" + part, method == "PATCH" ? ["quantity": 2] : nil)
        #expect(answer.status == 400)
        #expect(answer["Content-Type"]?.hasPrefix("application/problem+json") == true)
        // A NUL is valid UTF-8 and well encoded: it can only be no SKU, or no path that nginx lets through.
        #expect(try answer.json["code"] == "malformed_request")
      }
      #expect(try user.cart() == before)
    }

    @Test func rawBytesInAPath() throws {
      let connection = HTTPConnection()
      let broken: [[UInt8]] = [[0xFF], [0xC3, 0x28], [0x80]]
      for bytes in broken {
        let request = Array("DELETE /v1/cart/lines/".utf8) + bytes + Array(" HTTP/1.1\r\nHost: x\r\n\r\n".utf8)
        let answer = try connection.exchange(request)
        #expect(answer.status == 400)
        #expect(try answer.json["code"] == "malformed_request")
      }
      let sku = try Catalogue.make("räw-用户")
      let user = Shopper.newUser()
      try user.add(sku)
      #expect(try user.send("DELETE", "/v1/cart/lines/" + sku).json.skus == [])
    }

    @Test(arguments: [
      "%2E", "%2e%2e", "a%2F..", "a%2F.%2Fb", "%20a", "a%20", "%09", "a%0Ab", "a%7F",
      "12345678901234567890123456789012345678901234567890123456789012345",
    ])
    func whatCannotBeASKUIsAnInvalidField(part: String) throws {
      let user = Shopper.newUser()
      try expectProblem(user.send("PATCH", "/v1/cart/lines/" + part, ["quantity": 1]), 422, "invalid_field")
      try expectProblem(user.send("DELETE", "/v1/cart/lines/" + part), 422, "invalid_field")
    }

    /// Shops name their products as they like.
    static let names = [
      "BANK CHARGES", "gift_0001_20", "a/b", "a//b", "/a", "a/", "a/b/c", "50%", "%41", "%2F", "a%20b", "\"quoted\"",
      "it's", "back\\slash", "a|b", "#v", "?x=1&y=2", "a+b", "a;b,c:d", "{}", "[0]", "$1", "<b>", "«Größe»", "用户",
      "Кофе", "قهوة", "👩‍👩‍👧", "Z\u{0301}", "~._-", "...", "..a", "null", "0", "-1", "__proto__", "#version", "l:x", "*",
      "`", "^",
    ]

    @Test func anyNameWorksEverywhere() throws {
      let skus = Self.names.enumerated().map { index, name in
        // Names keep their own beginning where it matters, so the run's mark stands behind.
        name + (name.hasSuffix("/") ? "" : " ") + Catalogue.prefix + String(index)
      }
      try Catalogue.load(skus.map { Catalogue.product($0, price: 10) })
      let user = Shopper.newUser()
      for sku in skus { #expect(try user.add(sku, 2).line(sku)["quantity"] == 2, "\(sku)") }
      #expect(try user.cart().skus == skus)
      for sku in skus {
        #expect(try user.patch(sku, ["delta": 1]).line(sku)["quantity"] == 3, "\(sku)")
        let cart = try user.select(["selected": false, "skus": ["\(sku)"]])
        #expect(cart.line(sku)["selected"] == false, "\(sku)")
      }
      for (index, sku) in skus.enumerated() {
        let cart =
          index.isMultiple(of: 2)
          ? try user.remove(sku) : try user.send("DELETE", "/v1/cart/lines?sku=" + percentEncoded(sku)).json
        #expect(cart.skus == Array(skus.dropFirst(index + 1)), "\(sku)")
      }
    }

    @Test func twoSpellingsOfOneLetterAreTwoSKUs() throws {
      let stem = Catalogue.freshSKU("n")
      let composed = stem + "\u{E9}"
      let decomposed = stem + "e\u{301}"
      try Catalogue.load([Catalogue.product(composed, price: 1), Catalogue.product(decomposed, price: 2)])
      let user = Shopper.newUser()
      try user.add([(composed, 1)])
      let cart = try user.add([(decomposed, 1)])
      #expect(cart["lines"].elements.map(\.["lineTotal"]) == [1, 2])
      let left = try user.remove(composed)["lines"].elements
      #expect(left.map { Array(($0["sku"].string ?? "").utf8) } == [Array(decomposed.utf8)])
    }

    @Test func aSKUOf64BytesIsTheLongest() throws {
      let stem = Catalogue.freshSKU("é")
      let sku = stem + String(repeating: "x", count: 64 - stem.utf8.count)
      try Catalogue.load([Catalogue.product(sku)])
      let user = Shopper.newUser()
      try user.add(sku)
      #expect(try user.patch(sku, ["quantity": 4]).line(sku)["quantity"] == 4)
    }

    @Test func aPathIsDecodedOnce() throws {
      let stem = Catalogue.freshSKU("once")
      let skus = [stem + "%41", stem + "A"]
      try Catalogue.load(skus.map { Catalogue.product($0) })
      let user = Shopper.newUser()
      try user.add(skus.map { (sku: $0, quantity: 1) })
      #expect(try user.send("DELETE", "/v1/cart/lines/\(stem)%2541").json.skus == [skus[1]])
      #expect(try user.send("DELETE", "/v1/cart/lines/\(stem)%41").json.skus == [])
    }

    @Test(arguments: [
      ("PUT", "/v1/cart"), ("POST", "/v1/cart"), ("PATCH", "/v1/cart"), ("GET", "/v1/cart/lines"),
      ("HEAD", "/v1/cart/lines"), ("PUT", "/v1/cart/lines"), ("GET", "/v1/cart/lines/x"), ("POST", "/v1/cart/lines/x"),
      ("PUT", "/v1/cart/lines/x"), ("GET", "/v1/cart/selection"), ("POST", "/v1/cart/selection"),
      ("GET", "/v1/cart/prices/acknowledge"), ("DELETE", "/v1/cart/prices/acknowledge"), ("PROPFIND", "/v1/cart"),
    ])
    func anotherMethodIsNotAllowed(method: String, target: String) throws {
      let answer = try Shopper.newGuest().send(method, target)
      #expect(answer.status == 405)
      #expect(answer["Allow"] != nil)
      if method != "HEAD" { try expectProblem(answer, 405, "method_not_allowed") }
    }

    @Test func aURIThatIsTooLong() throws {
      let answer = try Shopper.newGuest().send("GET", "/v1/cart?x=" + String(repeating: "y", count: 100_000))
      #expect(answer.status == 414)
      #expect(answer["Content-Type"]?.hasPrefix("application/problem+json") == true)
      #expect(try answer.json["code"] == "uri_too_long")
    }

    @Test func requestsThatAreNoHTTP() throws {
      let products = try products.get()
      let workers = try TestSystem.workers()
      let user = Shopper.newUser()
      let before = try user.add(products.a)
      let cookie = "Cookie: demoUser=\(user.user ?? "")\r\n"
      let heads = [
        "GET\r\n\r\n", "\0\0\0\0\r\n\r\n", "DELETE /v1/cart HTTP/9.9\r\nHost: x\r\n\(cookie)\r\n",
        "DELETE /v1/cart HTTP/1.1\r\n\(cookie)\r\n", "DELETE /v1/cart HTTP/1.1\r\nHost: a\r\nHost: b\r\n\(cookie)\r\n",
        "DELETE v1/cart HTTP/1.1\r\nHost: x\r\n\(cookie)\r\n",
        "DELETE /v1/cart HTTP/1.1\r\nHost: x\r\n\(cookie)Content-Length: -1\r\n\r\n",
        "DELETE /v1/cart HTTP/1.1\r\nHost: x\r\n\(cookie)Content-Length: 1x\r\n\r\n",
        "DELETE /v1/cart HTTP/1.1\r\nHost: x\r\n\(cookie)Content-Length: 99999999999999999999\r\n\r\n",
        "POST /v1/cart/lines HTTP/1.1\r\nHost: x\r\n\(cookie)Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        "POST /v1/cart/lines HTTP/1.1\r\nHost: x\r\n\(cookie)Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n{}",
        "POST /v1/cart/lines HTTP/1.1\r\nHost: x\r\n\(cookie)Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        "DELETE /v1/cart HTTP/1.1\r\nHost: x\r\n\(cookie)A: b\0c\r\n\r\n",
      ]
      for head in heads {
        let answer = try HTTPConnection().exchange(Array(head.utf8))
        #expect((400...505).contains(answer.status), "\(head)")
      }
      // A body that ends early is no request at all.
      let cut = HTTPConnection()
      try cut.write(
        Array("POST /v1/cart/lines HTTP/1.1\r\nHost: x\r\n\(cookie)Content-Length: 900\r\n\r\n{\"sku\":".utf8))
      cut.close()
      #expect(try user.cart() == before)
      #expect(try TestSystem.workers() == workers)
    }

    @Test func oddHeadersAreCarried() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      try user.add(products.a)
      let workers = try TestSystem.workers()
      var request = HTTPRequest(method: "GET", target: "/v1/cart", headers: user.identity)
      request.rawLines = [
        Array("X-Binary: ".utf8) + [0x01, 0xFF, 0xC3, 0x28], Array("X-Empty:".utf8), Array("If-None-Match:".utf8),
        Array("Sec-Fetch-Site: ".utf8) + [0xFF], Array("Authorization: ".utf8) + [0xFE],
      ]
      request.headers += (0..<60).map { (name: "X-Many-\($0)", value: String(repeating: "v", count: 100)) }
      let answer = try user.send(request)
      #expect(answer.status == 200)
      #expect(try answer.json.skus == [products.a])
      #expect(try TestSystem.workers() == workers)
    }
  }
}
