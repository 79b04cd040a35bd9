import Testing

extension EndToEnd {
  /// What monitoring asks.
  @Suite struct Operations {
    @Test func theServerIsAlive() throws {
      let answer = try Shopper.newGuest().send("GET", "/ops/health")
      #expect(answer.status == 200)
      #expect(answer["Content-Length"] == String(answer.body.count))
      #expect(try Shopper.newGuest().send("HEAD", "/ops/health").status == 200)
    }

    @Test func cartctlShowsACart() throws {
      let products = try SharedProducts.get()
      let user = Shopper.newUser()
      try user.add(products.a, 3)
      let result = try TestSystem.cartctl("show", "user:" + (user.user ?? ""), "--json")
      #expect(result.status == 0, "\(result.errors)")
      let shown = try JSONParser.parse(Array(result.output.utf8))
      #expect(shown["version"] == 1)
      #expect(shown.line(products.a)["quantity"] == 3)
    }

    @Test func cartctlShowsAProduct() throws {
      let products = try SharedProducts.get()
      let result = try TestSystem.cartctl("catalog", "show", products.a, "--json")
      #expect(result.status == 0, "\(result.errors)")
      #expect(result.output.contains(products.a))
      #expect(result.output.contains("255"))
      #expect(try TestSystem.cartctl("catalog", "show", Catalogue.prefix + "nothing").status != 0)
    }
  }
}
