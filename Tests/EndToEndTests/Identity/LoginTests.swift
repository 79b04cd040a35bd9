import Foundation
import Synchronization
import Testing

extension EndToEnd {
  /// A guest who logs in: the carts become one.
  @Suite struct Login {
    let products = Result { try SharedProducts.get() }

    /// The same browser, now as a user.
    private func loggedIn(_ guest: Shopper, as user: Shopper = .newUser()) -> Shopper {
      let shopper = Shopper(user: user.user)
      shopper.cookie = guest.cookie
      return shopper
    }

    @Test func theFirstRequestMergesOnceAndClearsTheCookie() throws {
      let products = try products.get()
      let guest = Shopper.newGuest()
      try guest.add(products.a, 2)
      try guest.add(products.b)
      let user = Shopper.newUser()
      try user.add(products.a, 3)
      let phone = loggedIn(guest, as: user)
      let answer = try phone.send("GET", "/v1/cart")
      let cart = try answer.json
      #expect(answer.all("Set-Cookie").contains { $0.hasPrefix("guestCartId=;") && $0.contains("Max-Age=0") })
      #expect(phone.cookie == nil)
      #expect(cart.line(products.a)["quantity"] == 5)
      #expect(cart.line(products.b)["quantity"] == 1)
      #expect(cart["merge"]["lines"].elements.map(\.["outcome"].string) == ["summed", "added"])
      let again = try loggedIn(guest, as: user).cart()
      #expect(again["merge"] == .absent && again.line(products.a)["quantity"] == 5)
      #expect(try guest.cart()["lines"] == [])
      #expect(try Shopper.newUser().cart()["lines"] == [])
    }

    @Test func theSecondUserOnOneBrowserGetsNothingOfTheFirst() throws {
      let products = try products.get()
      let guest = Shopper.newGuest()
      try guest.add(products.a)
      let first = loggedIn(guest)
      #expect(try first.cart().skus == [products.a])
      let second = loggedIn(first)
      #expect(try second.cart().skus == [])
      // A logged-out browser starts anew.
      let out = Shopper.newGuest()
      out.cookie = first.cookie
      #expect(try out.cart().skus == [])
      try out.add(products.b)
      #expect(try out.cart().skus == [products.b])
    }

    @Test func manyDevicesLogInAtOnceAndEachLineComesOnce() throws {
      let products = try products.get()
      for _ in 0..<5 {
        let guest = Shopper.newGuest()
        try guest.add([(products.a, 1), (products.b, 1), (products.c, 1)])
        let user = Shopper.newUser()
        let (name, cookie) = (user.user, guest.cookie)
        let reports = Mutex(0)
        DispatchQueue.concurrentPerform(iterations: 8) { _ in
          let device = Shopper(user: name)
          device.cookie = cookie
          guard let cart = try? device.cart() else { return }
          if cart["merge"]["lines"].elements.count == 3 { reports.withLock { $0 += 1 } }
        }
        // One of them is told that the lines came.
        #expect(reports.withLock(\.self) == 1)
        let cart = try user.cart()
        #expect(cart["counts"]["quantity"] == 3)
        #expect(Set(cart.skus) == [products.a, products.b, products.c])
      }
    }

    @Test func anOverwriteKeepsLinesOfBothCarts() throws {
      let products = try products.get()
      let guest = Shopper.newGuest()
      try guest.add([(products.a, 2), (products.b, 1)])
      let user = Shopper.newUser()
      try user.add([(products.a, 5), (products.c, 1)])
      let answer = try loggedIn(guest, as: user).send("POST", "/v1/cart/merge", ["strategy": "overwrite"])
      let cart = try answer.json
      #expect(answer.status == 200)
      #expect(Set(cart.skus) == [products.a, products.b, products.c])
      #expect(cart.line(products.a)["quantity"] == 2)
    }

    @Test func theGuestsKeysAndTheVersionAfterTheMergeCount() throws {
      let products = try products.get()
      let guest = Shopper.newGuest()
      let change = JSON.object(["sku": "\(products.a)"])
      let key = [(name: "Idempotency-Key", value: "before the login")]
      #expect(try guest.send("POST", "/v1/cart/lines", change, headers: key).status == 200)
      let user = Shopper.newUser()
      try user.add(products.a, 3)
      // Its answer was lost; the browser has logged in meanwhile and sends it again.
      let again = try loggedIn(guest, as: user).send("POST", "/v1/cart/lines", change, headers: key)
      #expect(again.status == 200 && again["Idempotent-Replayed"] == "true")
      #expect(try again.json["version"] == 2 && again.json.line(products.a)["quantity"] == 4)
      #expect(try again.json["merge"]["lines"].elements.map(\.["outcome"].string) == ["summed"])
      let second = Shopper.newGuest()
      try second.add(products.b)
      let late = [(name: "If-Match", value: try #require(again["ETag"]))]
      let refused = try loggedIn(second, as: user).send("POST", "/v1/cart/lines", change, headers: late)
      #expect(try refused.status == 412 && refused.json["code"] == "version_mismatch")
      #expect(try refused.json["cart"]["version"] == 3)
      #expect(try refused.json["cart"]["merge"]["lines"].elements.map(\.["outcome"].string) == ["added"])
    }

    @Test func theMergedCartIsInPostgreSQLBeforeTheAnswer() throws {
      let products = try products.get()
      let guest = Shopper.newGuest()
      try guest.add(products.a, 2)
      let user = loggedIn(guest)
      _ = try user.cart()
      let rows = try Database().rows(
        "SELECT sku, quantity FROM cart_lines WHERE owner_kind = 'user' AND owner_id = '\(try #require(user.user))'")
      #expect(rows == [[products.a, "2"]])
    }
  }
}
