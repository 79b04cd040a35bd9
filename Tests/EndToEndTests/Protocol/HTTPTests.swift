import TestSupport
import Testing

extension EndToEnd {
  /// What stands in HTTP/1.1, rather than in the API: several connections, pipelines, chunks, broken requests.
  @Suite struct OverHTTP {
    let shop: any ShopUnderTest

    init() throws { shop = try openShop() }

    @Test func changesFromManyConnectionsAllCount() throws {
      let user = shop.newUser()
      let connections = (0..<8).map { _ in HTTPConnection() }
      // All requests are written before the first answer is read, so that several workers hold one at once.
      let request = user.identified(
        Request(
          "POST", "/v1/cart/lines", headers: ["Content-Type": "application/json"],
          body: Array(#"{"sku":"t-a","quantity":1}"#.utf8)))
      for connection in connections {
        try connection.write(request)
        try connection.write(request)
      }
      var versions: [Int] = []
      for connection in connections {
        for _ in 0..<2 {
          let answer = try connection.readAnswer()
          #expect(answer.status == 200)
          versions.append(answer.json["version"].int ?? -1)
        }
      }
      #expect(versions.sorted() == Array(1...16))
      #expect(try user.cart().line("t-a")["quantity"] == 16)
    }

    @Test func repeatsAtTheSameTimeCountOnce() throws {
      let user = shop.newUser()
      try user.add("t-a")
      let connections = (0..<8).map { _ in HTTPConnection() }
      let request = user.identified(
        Request(
          "PATCH", linePath("t-a"), headers: ["Content-Type": "application/json", "Idempotency-Key": "at-once"],
          body: Array(#"{"delta":10}"#.utf8)))
      for connection in connections { try connection.write(request) }
      let answers = try connections.map { try $0.readAnswer() }
      #expect(answers.allSatisfy { $0.status == 200 })
      #expect(answers.filter { $0["Idempotent-Replayed"] == nil }.count == 1)
      #expect(try user.cart().line("t-a")["quantity"] == 11)
    }

    @Test func requestsMayBePipelined() throws {
      let user = shop.newUser()
      try user.add("t-a")
      let connection = HTTPConnection()
      try connection.write(
        ["/v1/cart?view=summary", "/v1/cart"].flatMap {
          user.identified(Request("GET", $0)).bytes(host: connection.host)
        })
      #expect(try connection.readAnswer().json.keys.count == 3)
      #expect(try connection.readAnswer().json.keys == CartShape.keys)
    }

    @Test func aBodyMayComeInChunks() throws {
      let user = shop.newUser()
      try shop.load(Products.many.prefix(100).map { Products.product($0, price: 1) })
      var request = Request("POST", "/v1/cart/lines", headers: ["Content-Type": "application/json"])
      request.isChunked = true
      request.body = Array(JSON.bulk(Products.many.prefix(100).map { ($0, 2) }).description.utf8)
      #expect(try user.send(request).json["counts"]["quantity"] == 200)
      request.body = [UInt8](repeating: 0x20, count: 300_000)
      try expectProblem(user.send(request), 413, "body_too_large")
    }

    @Test func requestsThatAreNoHTTP() throws {
      let workers = try TestSystem.workers()
      let user = shop.newUser()
      let before = try user.add("t-a")
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
      let user = shop.newUser()
      try user.add("t-a")
      let workers = try TestSystem.workers()
      var request = Request("GET", "/v1/cart")
      request.rawLines = [
        Array("X-Binary: ".utf8) + [0x01, 0xFF, 0xC3, 0x28], Array("X-Empty:".utf8), Array("If-None-Match:".utf8),
        Array("Sec-Fetch-Site: ".utf8) + [0xFF], Array("Authorization: ".utf8) + [0xFE],
      ]
      for number in 0..<60 { request.add("X-Many-\(number)", String(repeating: "v", count: 100)) }
      let answer = try user.send(request)
      #expect(answer.status == 200)
      #expect(answer.json.skus == ["t-a"])
      #expect(try TestSystem.workers() == workers)
    }
  }
}
