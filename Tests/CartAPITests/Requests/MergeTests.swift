import CartAPI
import CartDomain
import Testing

/// A guest who logs in, and `POST /v1/cart/merge`.
@Suite struct Merging {
  private func shopWithGuest() throws -> (shop: Shop, pass: Shop.Headers) {
    let shop = try Shop()
    try shop.sell("A")
    try shop.sell("B")
    let pass = try #require(
      shop.send("POST", "/v1/cart/lines", #"{"lines":[{"sku":"A","quantity":2},{"sku":"B"}]}"#)["Guest-Cart-Id"])
    return (shop, [.guestCartID: pass])
  }

  private static let cleared = "guestCartId=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"

  @Test(arguments: ["GET /v1/cart", "POST /v1/cart/lines", "DELETE /v1/cart/lines/X", "PUT /v1/cart/selection"])
  func anyRequestOfAUserMergesFirst(request: String) throws {
    let (shop, pass) = try shopWithGuest()
    shop.send("POST", "/v1/cart/lines", #"{"sku":"A","quantity":3}"#, user: "u")
    let parts = request.split(separator: " ").map(String.init)
    let body =
      switch parts[0] {
      case "POST": #"{"sku":"B"}"#
      case "PUT": #"{"selected":true,"all":true}"#
      default: nil as String?
      }
    let answer = shop.send(parts[0], parts[1], body, user: "u", headers: pass)
    #expect(answer.status == 200)
    #expect(answer["Set-Cookie"] == Self.cleared)
    #expect(answer.line("A")["quantity"] == 5)
    #expect(
      answer.json["merge"]
        == [
          "strategy": "sum",
          "lines": [
            ["sku": "A", "outcome": "summed", "quantity": 5], ["sku": "B", "outcome": "added", "quantity": 1],
          ],
        ])
    let again = shop.send("GET", "/v1/cart", user: "u", headers: pass)
    #expect(again.json["merge"] == .absent)
    #expect(again.line("A")["quantity"] == 5)
    #expect(again["Set-Cookie"] == Self.cleared)
    #expect(shop.send("GET", "/v1/cart", headers: pass).skus == [])
  }

  @Test func aRefusedRequestHasMergedAllTheSame() throws {
    let (shop, pass) = try shopWithGuest()
    let answer = shop.send("PATCH", "/v1/cart/lines/X", #"{"quantity":1}"#, user: "u", headers: pass)
    #expect(answer.status == 404 && answer["Set-Cookie"] == Self.cleared)
    #expect(answer.json["cart"]["merge"]["strategy"] == "sum")
    #expect(shop.send("GET", "/v1/cart", user: "u").skus == ["A", "B"])
  }

  @Test func aMergedAnswerIsNeverNotModified() throws {
    let (shop, pass) = try shopWithGuest()
    let answer = shop.send("GET", "/v1/cart", user: "u", headers: pass.merging([.ifNoneMatch: "*"]) { $1 })
    #expect(answer.status == 200 && answer.json["merge"] != .absent)
    #expect(shop.send("GET", "/v1/cart", user: "u", headers: [.ifNoneMatch: "*"]).status == 304)
  }

  @Test func ifMatchComparesAfterTheMerge() throws {
    let (shop, pass) = try shopWithGuest()
    let version = shop.send("POST", "/v1/cart/lines", #"{"sku":"A"}"#, user: "u")["ETag"] ?? ""
    let answer = shop.send("DELETE", "/v1/cart", user: "u", headers: pass.merging([.ifMatch: version]) { $1 })
    expectMerged(answer, 412)
    #expect(answer.json["cart"]["version"] == 2)
  }

  private func expectMerged(_ answer: Answer, _ status: Int) {
    #expect(answer.status == status && answer["Set-Cookie"] == Self.cleared)
  }

  @Test(arguments: [("overwrite", 2), ("keep", 3), ("max", 3), ("sum", 5)])
  func theExplicitMergeTakesAStrategy(strategy: String, quantity: Int) throws {
    let (shop, pass) = try shopWithGuest()
    shop.send("POST", "/v1/cart/lines", #"{"sku":"A","quantity":3}"#, user: "u")
    let answer = shop.send("POST", "/v1/cart/merge", #"{"strategy":"\#(strategy)"}"#, user: "u", headers: pass)
    expectMerged(answer, 200)
    #expect(answer.json["merge"]["strategy"] == .string(strategy))
    #expect(answer.line("A")["quantity"] == .integer(quantity))
    #expect(answer.skus == ["A", "B"])
  }

  @Test func aRetriedMergeIsAReplay() throws {
    let (shop, pass) = try shopWithGuest()
    let headers = pass.merging([.idempotencyKey: "k"]) { $1 }
    #expect(shop.send("POST", "/v1/cart/merge", "{}", user: "u", headers: headers).status == 200)
    let again = shop.send("POST", "/v1/cart/merge", "{}", user: "u", headers: headers)
    expectMerged(again, 200)
    #expect(again["Idempotent-Replayed"] == "true")
    // Another guest, who has come since, is not lost by it.
    let other = try #require(shop.send("POST", "/v1/cart/lines", #"{"sku":"A"}"#)["Guest-Cart-Id"])
    let later = shop.send(
      "POST", "/v1/cart/merge", "{}", user: "u", headers: [.guestCartID: other, .idempotencyKey: "k"])
    #expect(later.status == 200 && later["Set-Cookie"] == nil)
    expectProblem(
      shop.send("POST", "/v1/cart/merge", #"{"strategy":"max"}"#, user: "u", headers: headers), 422,
      "idempotency_key_reused")
  }

  @Test func withoutAGuestThereIsNothingToMerge() throws {
    let (shop, pass) = try shopWithGuest()
    expectProblem(shop.send("POST", "/v1/cart/merge", "{}", user: "u"), 409, "nothing_to_merge", hasCart: true)
    expectProblem(shop.send("POST", "/v1/cart/merge", "{}", headers: pass), 409, "nothing_to_merge", hasCart: true)
    expectProblem(shop.send("POST", "/v1/cart/merge", "{}"), 409, "nothing_to_merge", hasCart: true)
    shop.send("POST", "/v1/cart/merge", "{}", user: "u", headers: pass)
    let spent = shop.send("POST", "/v1/cart/merge", "{}", user: "v", headers: pass)
    expectMerged(spent, 409)
    #expect(spent.json["code"] == "nothing_to_merge" && spent.json["cart"]["merge"] == .absent)
    expectProblem(shop.send("POST", "/v1/cart/merge", user: "u"), 400, "malformed_json")
    expectProblem(
      shop.send("POST", "/v1/cart/merge", #"{"strategy":"most"}"#, user: "u"), 422, "invalid_field",
      pointer: "/strategy")
    expectProblem(
      shop.send("POST", "/v1/cart/merge", #"{"stategy":"sum"}"#, user: "u"), 422, "unknown_field", pointer: "/stategy")
  }

  @Test func anEmptyGuestIsClaimedToo() throws {
    let (shop, pass) = try shopWithGuest()
    shop.send("DELETE", "/v1/cart", headers: pass)
    let answer = shop.send("POST", "/v1/cart/merge", "{}", user: "u", headers: pass)
    expectMerged(answer, 200)
    #expect(answer.json["merge"] == ["strategy": "sum", "lines": []])
    #expect(shop.send("POST", "/v1/cart/lines", #"{"sku":"A"}"#, headers: pass)["Guest-Cart-Id"] != pass[.guestCartID])
  }
}
