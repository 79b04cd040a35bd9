import TestSupport
import Testing

/// A guest who logs in, and `POST /v1/cart/merge`.
@Suite struct Login {
  let shop: any ShopUnderTest
  /// Has two of "t-a" and one of "t-b".
  let guest: Shopper
  let user: Shopper

  init() throws {
    shop = try openShop()
    guest = shop.newGuest()
    user = shop.newUser()
    try guest.add([("t-a", 2), ("t-b", 1)])
  }

  /// The same browser, now as a user.
  private func loggedIn(_ guest: Shopper, as user: Shopper) -> Shopper {
    let shopper = shop.user(user.user)
    shopper.cookie = guest.cookie
    return shopper
  }

  private func expectMerged(_ answer: Answer, _ status: Int, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(answer.status == status, sourceLocation: sourceLocation)
    #expect(
      answer.all("Set-Cookie") == ["guestCartId=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"],
      sourceLocation: sourceLocation)
  }

  @Test(arguments: ["GET /v1/cart", "POST /v1/cart/lines", "DELETE /v1/cart/lines/X", "PUT /v1/cart/selection"])
  func anyRequestOfAUserMergesFirst(request: String) throws {
    try user.add("t-a", 3)
    let parts = request.split(separator: " ").map(String.init)
    let bodies: [String: JSON] = ["POST": ["sku": "t-b"], "PUT": ["selected": true, "all": true]]
    let phone = loggedIn(guest, as: user)
    let answer = try phone.send(parts[0], parts[1], bodies[parts[0]])
    expectMerged(answer, 200)
    #expect(phone.cookie == nil)
    #expect(answer.line("t-a")["quantity"] == 5)
    #expect(answer.line("t-b")["quantity"] == (parts[0] == "POST" ? 2 : 1))
    let lines: JSON = [
      ["sku": "t-a", "outcome": "summed", "quantity": 5], ["sku": "t-b", "outcome": "added", "quantity": 1],
    ]
    #expect(answer.json["merge"] == ["strategy": "sum", "lines": lines])
    let again = try loggedIn(guest, as: user).send("GET", "/v1/cart")
    expectMerged(again, 200)
    #expect(again.json["merge"] == .absent && again.line("t-a")["quantity"] == 5)
    #expect(try guest.cart()["lines"] == [])
    #expect(try shop.newUser().cart()["lines"] == [])
  }

  @Test func aRefusedRequestHasMergedAllTheSame() throws {
    let answer = try loggedIn(guest, as: user).send("PATCH", "/v1/cart/lines/X", ["quantity": 1])
    expectMerged(answer, 404)
    #expect(answer.json["cart"]["merge"]["strategy"] == "sum")
    #expect(try user.cart().skus == ["t-a", "t-b"])
  }

  @Test func aMergedAnswerIsNeverNotModified() throws {
    let wildcard: KeyValuePairs = ["If-None-Match": "*"]
    let answer = try loggedIn(guest, as: user).send("GET", "/v1/cart", headers: wildcard)
    #expect(answer.status == 200 && answer.json["merge"] != .absent)
    #expect(try user.send("GET", "/v1/cart", headers: wildcard).status == 304)
  }

  @Test func ifMatchComparesAfterTheMerge() throws {
    try user.add("t-c")
    let tag = try #require(try user.send("GET", "/v1/cart")["ETag"])
    let answer = try loggedIn(guest, as: user).send("DELETE", "/v1/cart", headers: ["If-Match": tag])
    expectMerged(answer, 412)
    #expect(answer.code == "version_mismatch")
    #expect(answer.json["cart"]["version"] == 2)
    #expect(answer.json["cart"]["merge"]["lines"].elements.map(\.["outcome"].string) == ["added", "added"])
  }

  @Test func theSecondUserOnOneBrowserGetsNothingOfTheFirst() throws {
    let first = loggedIn(guest, as: user)
    #expect(try first.cart().skus == ["t-a", "t-b"])
    #expect(try loggedIn(first, as: shop.newUser()).cart().skus == [])
    // A logged-out browser starts anew.
    let out = shop.newGuest()
    out.cookie = first.cookie
    #expect(try out.cart().skus == [])
    try out.add("t-b")
    #expect(try out.cart().skus == ["t-b"])
  }

  @Test func theGuestsKeysCountAfterTheMerge() throws {
    let guest = shop.newGuest()
    let key: KeyValuePairs = ["Idempotency-Key": "before the login"]
    #expect(try guest.send("POST", "/v1/cart/lines", ["sku": "t-a"], headers: key).status == 200)
    try user.add("t-a", 3)
    // Its answer was lost; the browser has logged in meanwhile and sends it again.
    let again = try loggedIn(guest, as: user).send("POST", "/v1/cart/lines", ["sku": "t-a"], headers: key)
    #expect(again.status == 200 && again["Idempotent-Replayed"] == "true")
    #expect(again.json["version"] == 2 && again.line("t-a")["quantity"] == 4)
    #expect(again.json["merge"]["lines"].elements.map(\.["outcome"].string) == ["summed"])
  }

  // MARK: The explicit merge

  private func merge(_ shopper: Shopper, _ body: JSON = [:], key: String? = nil) throws -> Answer {
    try shopper.send("POST", "/v1/cart/merge", body, headers: key.map { ["Idempotency-Key": $0] } ?? [:])
  }

  @Test(arguments: [("overwrite", 2), ("keep", 3), ("max", 3), ("sum", 5)])
  func theExplicitMergeTakesAStrategy(strategy: String, quantity: Int) throws {
    try user.add([("t-a", 3), ("t-c", 1)])
    let answer = try merge(loggedIn(guest, as: user), ["strategy": "\(strategy)"])
    expectMerged(answer, 200)
    #expect(answer.json["merge"]["strategy"] == "\(strategy)")
    #expect(answer.line("t-a")["quantity"] == .int(quantity))
    #expect(Set(answer.skus) == ["t-a", "t-b", "t-c"])
  }

  @Test func aRetriedMergeIsAReplay() throws {
    #expect(try merge(loggedIn(guest, as: user), key: "k").status == 200)
    let again = try merge(loggedIn(guest, as: user), key: "k")
    expectMerged(again, 200)
    #expect(again["Idempotent-Replayed"] == "true")
    // Another guest, who has come since, is not lost by it.
    let other = shop.newGuest()
    try other.add("t-a")
    let later = try merge(loggedIn(other, as: user), key: "k")
    #expect(later.status == 200 && later["Set-Cookie"] == nil)
    try expectProblem(
      merge(loggedIn(guest, as: user), ["strategy": "max"], key: "k"), 422, "idempotency_key_reused")
  }

  @Test func withoutAGuestThereIsNothingToMerge() throws {
    for shopper in [user, guest, shop.newGuest()] {
      try expectProblem(merge(shopper), 409, "nothing_to_merge", hasCart: true)
    }
    expectMerged(try merge(loggedIn(guest, as: user)), 200)
    let spent = try merge(loggedIn(guest, as: shop.newUser()))
    expectMerged(spent, 409)
    #expect(spent.code == "nothing_to_merge" && spent.json["cart"]["merge"] == .absent)
  }

  @Test func aMergeNeedsItsFields() throws {
    try expectProblem(user.send("POST", "/v1/cart/merge"), 400, "malformed_json")
    try expectProblem(merge(user, ["strategy": "most"]), 422, "invalid_field", pointer: "/strategy")
    try expectProblem(merge(user, ["stategy": "sum"]), 422, "unknown_field", pointer: "/stategy")
  }

  @Test func anEmptyGuestIsClaimedToo() throws {
    try guest.clear()
    let answer = try merge(loggedIn(guest, as: user))
    expectMerged(answer, 200)
    #expect(answer.json["merge"] == ["strategy": "sum", "lines": []])
    let former = guest.cookie
    try guest.add("t-a")
    #expect(guest.cookie != former)
  }
}
