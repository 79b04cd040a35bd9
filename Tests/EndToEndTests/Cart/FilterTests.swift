import Testing

extension EndToEnd {
  /// `DELETE /v1/cart/lines?…` and `PUT /v1/cart/selection`: many lines at once.
  @Suite struct Filters {
    let products = Result { try SharedProducts.get() }

    /// A cart of five lines of two merchants.
    private func filled() throws -> Shopper {
      let products = try products.get()
      let user = Shopper.newUser()
      try user.add([(products.a, 1), (products.d, 2), (products.b, 3), (products.free, 4), (products.c, 5)])
      return user
    }

    private func delete(_ shopper: Shopper, _ query: String) throws -> HTTPResponse {
      try shopper.send("DELETE", "/v1/cart/lines" + query)
    }

    @Test func bySKU() throws {
      let products = try products.get()
      let user = try filled()
      let cart = try delete(
        user, "?sku=\(products.c)&sku=\(products.a)&sku=\(Catalogue.prefix)absent&sku=\(products.a)"
      ).json
      #expect(cart.skus == [products.d, products.b, products.free])
      #expect(cart["version"] == 2)
      #expect(try delete(user, "?sku=\(products.a)").json["version"] == 2)
    }

    @Test func bySelection() throws {
      let products = try products.get()
      let user = try filled()
      try user.select(["selected": false, "skus": ["\(products.a)", "\(products.free)"]])
      let cart = try delete(user, "?selected=true").json
      #expect(cart.skus == [products.a, products.free])
      #expect(cart["version"] == 3)
    }

    @Test func byMerchant() throws {
      let products = try products.get()
      let user = try filled()
      #expect(try delete(user, "?merchantId=m2").json.skus == [products.a, products.b, products.c])
      #expect(try delete(user, "?merchantId=nobody").json["version"] == 2)
      #expect(try delete(user, "?merchantId=m1").json.skus == [])
    }

    @Test(arguments: [
      "", "?", "?selected=false", "?selected=", "?selected", "?selected=1", "?sku=A&selected=true",
      "?merchantId=m1&sku=A", "?merchantId=m1&selected=true", "?unknown=1", "?sku=A&unknown=1", "?view=everything",
      "?merchantId=m1&merchantId=m2", "?selected=true&selected=true", "?sku=", "?sku=%20A", "?merchantId=",
      "?SKU=A", "?sku=a%00b", "?sku=" + String(repeating: "x", count: 65), "?sku=..",
    ])
    func exactlyOneKindIsDue(query: String) throws {
      let user = try filled()
      let before = try user.cart()
      try expectProblem(delete(user, query), 422, "invalid_field")
      #expect(try user.cart() == before)
    }

    @Test func aBadEscapeInAQueryRemovesNothing() throws {
      let user = try filled()
      let before = try user.cart()
      for query in ["?sku=%zz", "?sku=%", "?sku=%4", "?sku=%ff"] {
        #expect([400, 422].contains(try delete(user, query).status), "\(query)")
      }
      #expect(try user.cart() == before)
    }

    @Test func aHundredSKUsOfFullLengthFitIntoAQuery() throws {
      let long = (0..<100).map { number in
        let digits = String(number + 1_000)
        return digits + String(repeating: "é", count: 30)
      }
      let user = try filled()
      let before = try user.cart()
      let query = "?" + long.map { "sku=" + percentEncoded($0) }.joined(separator: "&")
      let answer = try delete(user, query)
      #expect(answer.status == 200)
      #expect(try answer.json == before)
      let problem = try delete(user, query + "&sku=one-more")
      #expect(problem.status == 422)
      #expect(["invalid_field", "too_many_lines"].contains(try problem.json["code"].string ?? ""))
    }

    @Test func aPlusIsASpaceInAQueryAndAPlusInAPath() throws {
      let spaced = Catalogue.freshSKU("a b")
      let plus = spaced.replacing(" ", with: "+")
      try Catalogue.load([Catalogue.product(spaced), Catalogue.product(plus)])
      let user = Shopper.newUser()
      try user.add([(spaced, 1), (plus, 1)])
      #expect(try delete(user, "?sku=" + plus).json.skus == [plus])
      #expect(try user.send("DELETE", "/v1/cart/lines/" + plus).json.skus == [])
      try user.add([(spaced, 1), (plus, 1)])
      #expect(try delete(user, "?sku=" + percentEncoded(plus)).json.skus == [spaced])
    }

    @Test func theViewStandsBesideAFilter() throws {
      let products = try products.get()
      let answer = try delete(try filled(), "?view=summary&sku=\(products.a)")
      #expect(answer.status == 200)
      #expect(try answer.json.keys == ["version", "counts", "totals"])
    }

    // MARK: Selection

    @Test func allAreUncheckedAndChecked() throws {
      let user = try filled()
      let none = try user.select(["selected": false, "all": true])
      #expect(none["version"] == 2)
      #expect(none["counts"]["selectedLines"] == 0)
      #expect(none["totals"]["selected"] == 0)
      #expect(none["merchants"].elements.map(\.["selection"]) == ["none", "none"])
      let all = try user.select(["selected": true, "all": true])
      #expect(all["counts"]["selectedLines"] == 5)
      #expect(all["merchants"].elements.map(\.["selection"]) == ["all", "all"])
    }

    @Test func oneMerchantsLinesAreUnchecked() throws {
      let products = try products.get()
      let user = try filled()
      let cart = try user.select(["selected": false, "merchantId": "m1"])
      #expect(
        cart["lines"].elements.filter { $0["selected"] == true }.compactMap(\.["sku"].string) == [
          products.d, products.free,
        ])
      #expect(cart["totals"]["selected"] == 80)
    }

    @Test func namedLinesAreUnchecked() throws {
      let products = try products.get()
      let user = try filled()
      let cart = try user.select([
        "selected": false, "skus": ["\(products.b)", "\(Catalogue.prefix)absent", "\(products.b)"],
      ])
      #expect(cart.line(products.b)["selected"] == false)
      #expect(cart["counts"]["selectedLines"] == 4)
      #expect(cart["merchants"][0]["selection"] == "some")
      #expect(cart.skus == [products.a, products.d, products.b, products.free, products.c])
    }

    @Test(
      arguments: [
        [:], ["selected": true], ["all": true], ["selected": true, "all": false], ["selected": true, "all": nil],
        ["selected": true, "all": true, "merchantId": "m1"], ["selected": true, "merchantId": "m1", "skus": ["A"]],
        ["selected": true, "all": true, "skus": []], ["selected": 1, "all": true], ["selected": "true", "all": true],
        ["selected": nil, "all": true], ["selected": true, "merchantId": 7], ["selected": true, "merchantId": ""],
        ["selected": true, "skus": "A"], ["selected": true, "skus": [1]], ["selected": true, "skus": [""]],
        ["selected": true, "skus": [nil]], ["selected": true, "skus": [".."]], [],
      ] as [JSON])
    func aSelectionNeedsItsFields(body: JSON) throws {
      let user = try filled()
      let before = try user.cart()
      try expectProblem(user.send("PUT", "/v1/cart/selection", body), 422, "invalid_field")
      #expect(try user.cart() == before)
    }
  }
}
