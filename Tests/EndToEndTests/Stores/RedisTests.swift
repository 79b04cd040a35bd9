import TestSupport
import Testing

extension EndToEnd {
  /// What requests do, and do not do, in Redis.
  @Suite struct InRedis {
    let shop: any ShopUnderTest

    init() throws { shop = try openShop() }

    /// Runs `requests` until Redis saw no command meanwhile; what a worker or the syncer does by itself now and then
    /// only costs another attempt, a command for each request fails every one.
    private func runsWithoutACommand(_ redis: Redis, attempts: Int = 20, _ requests: () throws -> Void) throws -> Bool {
      for _ in 0..<attempts {
        let before = try redis.foreignCommands()
        try requests()
        if try redis.foreignCommands() == before { return true }
      }
      return false
    }

    @Test func aThousandGETsWithoutACookieCauseNoCommand() throws {
      let redis = try Redis()
      let strangers = (0..<8).map { _ in shop.newGuest() }
      for block in 0..<10 {
        let isQuiet = try runsWithoutACommand(redis) {
          for number in 0..<100 {
            let target = number.isMultiple(of: 10) ? "/v1/cart?view=summary" : "/v1/cart"
            let answer = try strangers[number % 8].send("GET", target)
            #expect(answer.status == 200)
          }
        }
        #expect(isQuiet, "hundred number \(block)")
      }
    }

    @Test func theCounterWouldHaveSeenThem() throws {
      let redis = try Redis()
      let user = shop.newUser()
      let isQuiet = try runsWithoutACommand(redis, attempts: 3) { _ = try user.cart() }
      #expect(!isQuiet)
    }

    @Test func aForgedCookieCausesNoCommand() throws {
      let redis = try Redis()
      let guest = shop.newGuest()
      try guest.add("t-a")
      let pass = try #require(guest.cookie)
      let stranger = shop.newGuest()
      let isQuiet = try runsWithoutACommand(redis) {
        for forged in forgeries(of: pass) {
          for headers: KeyValuePairs in [["Cookie": "guestCartId=\(forged)"], ["Guest-Cart-Id": forged]] {
            let answer = try stranger.send("GET", "/v1/cart", headers: headers)
            #expect(answer.status == 200)
          }
        }
      }
      #expect(isQuiet)
    }

    @Test func aChangeLeavesOneEventAndADirtyMark() throws {
      let redis = try Redis()
      let user = shop.newUser()
      let key = redis.prefix + "cart:user:" + (user.user ?? "")
      func events() throws -> Int {
        let info = try redis.command("XINFO", "STREAM", redis.prefix + "cart:stream")
        return try #require(info.firstMatch(of: /entries-added\n(\d+)/).flatMap { Int($0.1) })
      }
      try user.add("t-a")
      let before = try events()
      try user.add([("t-a", 1), ("t-b", 2), ("t-c", 3)])
      try user.patch("t-b", ["quantity": 5])
      try user.remove("t-c")
      #expect(try events() == before + 3)
      // PostgreSQL has it in a moment, and then nothing of it is left to do.
      let dirty = redis.prefix + "cart:dirty"
      _ = try eventually(within: 5) {
        try redis.command("ZSCORE", dirty, key)
      } until: {
        $0.isEmpty
      }
      #expect(try redis.command("HGET", key, "#p") == redis.command("HGET", key, "#v"))
      // Neither what changes nothing nor what is refused leaves an event.
      try user.remove("t-c")
      try user.patch("t-b", ["quantity": 5])
      try expectProblem(
        user.send("PATCH", linePath("t-d"), ["quantity": 1]), 404, "line_not_found")
      _ = try user.cart()
      #expect(try events() == before + 3)
    }

    @Test func aReadOfAnUnknownUserWritesNothing() throws {
      let redis = try Redis()
      let user = shop.newUser()
      _ = try user.cart()
      #expect(try redis.command("EXISTS", redis.prefix + "cart:user:" + (user.user ?? "")) == "0")
    }

    @Test func anUnknownIdOfTheRightShapeIsReplaced() throws {
      let redis = try Redis()
      let guest = shop.newGuest()
      try guest.add("t-a")
      let former = try #require(guest.cookie)
      // The cart of a guest that ran out: gone from Redis, and never to come back under its old id.
      let id = String(former.prefix { $0 != "." })
      #expect(try guest.send("POST", "/v1/cart/sync").status == 200)
      let ended = "UPDATE carts SET expires_at = now() - interval '1 s' WHERE owner_id = '\(id)' RETURNING 1"
      #expect(try Database().rows(ended) == [["1"]])
      #expect(try redis.command("DEL", redis.prefix + "cart:guest:" + id) == "1")
      #expect(try guest.cart()["version"] == 0)
      let answer = try guest.send("POST", "/v1/cart/lines", ["sku": "t-b"])
      #expect(answer.status == 200)
      #expect(guest.cookie != former)
    }

    @Test func aGuestsCartLiesUnderItsKeyForThirtyDays() throws {
      let guest = shop.newGuest()
      try guest.add("t-a")
      let value = try #require(guest.cookie)
      let redis = try Redis()
      let key = redis.prefix + "cart:guest:" + value.prefix { $0 != "." }
      let life = try #require(try Int(redis.command("TTL", key)))
      #expect((2_592_000 - 60...2_592_001).contains(life))
    }

    @Test(arguments: ["50%off", "{tag}", "a{b}c%7Bd%7D", "Zoë", "用户", "a:b|c", "user@example.org", "..", "0"])
    func aUsersCartLiesUnderTheirIdForEver(name: String) throws {
      let id = name + "-" + uniqueText()
      try shop.user(id).add("t-a", 2)
      let redis = try Redis()
      let encoded = id.replacing("%", with: "%25").replacing("{", with: "%7B").replacing("}", with: "%7D")
      #expect(try redis.command("EXISTS", redis.prefix + "cart:user:" + encoded) == "1")
      #expect(try redis.command("PTTL", redis.prefix + "cart:user:" + encoded) == "-1")
    }
  }
}
