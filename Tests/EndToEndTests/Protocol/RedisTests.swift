import Foundation
import Testing

extension EndToEnd {
  /// What requests do, and do not do, in Redis.
  @Suite struct InRedis {
    let products = Result { try SharedProducts.get() }

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
      let connections = (0..<8).map { _ in HTTPConnection() }
      for block in 0..<10 {
        let isQuiet = try runsWithoutACommand(redis) {
          for number in 0..<100 {
            let target = number.isMultiple(of: 10) ? "/v1/cart?view=summary" : "/v1/cart"
            let answer = try connections[number % 8].send(HTTPRequest(method: "GET", target: target))
            #expect(answer.status == 200)
          }
        }
        #expect(isQuiet, "hundred number \(block)")
      }
    }

    @Test func theCounterWouldHaveSeenThem() throws {
      let redis = try Redis()
      let user = Shopper.newUser()
      let isQuiet = try runsWithoutACommand(redis, attempts: 3) { _ = try user.cart() }
      #expect(!isQuiet)
    }

    @Test func aForgedCookieCausesNoCommand() throws {
      let redis = try Redis()
      let guest = Shopper.newGuest()
      try guest.add(products.get().a)
      let forgeries = Guests.forgeries(of: try #require(guest.cookie))
      let connection = HTTPConnection()
      let isQuiet = try runsWithoutACommand(redis) {
        for forged in forgeries {
          for name in ["Cookie", "Guest-Cart-Id"] {
            let value = name == "Cookie" ? "guestCartId=\(forged)" : forged
            let answer = try connection.send(
              HTTPRequest(method: "GET", target: "/v1/cart", headers: [(name: name, value: value)]))
            #expect(answer.status == 200)
          }
        }
      }
      #expect(isQuiet)
    }

    @Test func aChangeLeavesOneEventAndADirtyMark() throws {
      let products = try products.get()
      let redis = try Redis()
      let user = Shopper.newUser()
      let key = redis.prefix + "cart:user:" + (user.user ?? "")
      func events() throws -> Int {
        let info = try redis.command("XINFO", "STREAM", redis.prefix + "cart:stream").elements
        let index = try #require(info.firstIndex(of: .text("entries-added")))
        return try #require(info[index + 1].integer)
      }
      try user.add(products.a)
      let before = try events()
      try user.add([(products.a, 1), (products.b, 2), (products.c, 3)])
      try user.patch(products.b, ["quantity": 5])
      try user.remove(products.c)
      #expect(try events() == before + 3)
      // PostgreSQL has it in a moment, and then nothing of it is left to do.
      let dirty = redis.prefix + "cart:dirty"
      _ = try eventually(within: 5) {
        try redis.command("ZSCORE", dirty, key)
      } until: {
        $0 == .none
      }
      #expect(try redis.command("HGET", key, "#p") == redis.command("HGET", key, "#v"))
      // Neither what changes nothing nor what is refused leaves an event.
      try user.remove(products.c)
      try user.patch(products.b, ["quantity": 5])
      try expectProblem(
        user.send("PATCH", linePath(products.d), ["quantity": 1]), 404, "line_not_found")
      _ = try user.cart()
      #expect(try events() == before + 3)
    }

    @Test func aReadOfAnUnknownUserWritesNothing() throws {
      let redis = try Redis()
      let user = Shopper.newUser()
      _ = try user.cart()
      #expect(try redis.command("EXISTS", redis.prefix + "cart:user:" + (user.user ?? "")) == .integer(0))
    }
  }
}
