import TestSupport
import Testing

extension EndToEnd {
  /// A cart's way to PostgreSQL and back.
  @Suite struct Persistence {
    let shop: any ShopUnderTest

    init() throws { shop = try openShop() }

    private func owner(_ shopper: Shopper) throws -> String { "owner_id = '\(try #require(shopper.user))'" }

    @Test func syncAnswersWhenPostgreSQLHasTheCart() throws {
      let user = shop.newUser()
      try user.add("t-a", 2, extraData: ["gift": true])
      let answer = try user.send("POST", "/v1/cart/sync")
      #expect(answer.status == 200)
      #expect(answer.json == ["version": 1, "persistedVersion": 1])
      let rows = try Database().rows(
        """
        SELECT c.version, c.currency, l.position, l.sku, l.merchant_id, l.quantity, l.selected, l.snapshot_unit_price,
          l.extra_data ->> 'gift'
        FROM carts c JOIN cart_lines l USING (owner_kind, owner_id) WHERE c.\(try owner(user))
        """)
      #expect(rows == [["1", "GBP", "1", "t-a", "m1", "2", "t", "255", "true"]])
      #expect(try shop.newGuest().send("POST", "/v1/cart/sync").json == ["version": 0, "persistedVersion": 0])
    }

    @Test func everyChangeIsThereWithinASecondAndRecordedOnce() throws {
      let user = shop.newUser()
      try user.add("t-a", 2)
      try user.patch("t-a", ["quantity": 5])
      try user.select(["selected": false, "all": true])
      try user.remove("t-a")
      let start = ContinuousClock.now
      let rows = try eventually(within: 5) {
        try Database().rows(
          """
          SELECT version, sku, action, coalesce(before ->> 'quantity', '-'), coalesce(after ->> 'quantity', '-'),
            length(request_id) > 0
          FROM cart_changes WHERE \(try owner(user)) ORDER BY version
          """)
      } until: {
        $0.count == 4
      }
      #expect(ContinuousClock.now - start < .seconds(2))
      #expect(
        rows == [
          ["1", "t-a", "add", "-", "2", "t"], ["2", "t-a", "edit", "2", "5", "t"],
          ["3", "t-a", "select", "-", "-", "t"], ["4", "t-a", "remove", "5", "-", "t"],
        ])
    }

    @Test func aCartThatRedisLosesComesBackAtTheNextMillion() throws {
      let (user, guest) = (shop.newUser(), shop.newGuest())
      let redis = try Redis()
      for shopper in [user, guest] {
        let before = try shopper.add([("t-b", 1), ("t-a", 2)])
        #expect(try shopper.send("POST", "/v1/cart/sync").status == 200)
        let id = shopper.cookie.map { $0.prefix { $0 != "." } }
        let key = id.map { "cart:guest:\($0)" } ?? "cart:user:\(shopper.user ?? "")"
        #expect(try redis.command("DEL", redis.prefix + key) == "1")
        let after = try shopper.cart()
        #expect(after["version"] == 1_000_000)
        for member in ["lines", "merchants", "counts", "totals", "expiresAt", "owner"] {
          #expect(after[member] == before[member])
        }
        #expect(try shopper.add("t-a")["version"] == 1_000_001)
      }
    }
  }
}
