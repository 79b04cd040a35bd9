import Dispatch
import Synchronization
import TestSupport
import Testing

extension EndToEnd {
  /// Logins at once, and what PostgreSQL has of them.
  @Suite struct Logins {
    let shop: any ShopUnderTest

    init() throws { shop = try openShop() }

    @Test func manyDevicesLogInAtOnceAndEachLineComesOnce() throws {
      for _ in 0..<5 {
        let guest = shop.newGuest()
        try guest.add([("t-a", 1), ("t-b", 1), ("t-c", 1)])
        let user = shop.newUser()
        let (name, cookie) = (user.user, guest.cookie)
        let reports = Mutex(0)
        DispatchQueue.concurrentPerform(iterations: 8) { _ in
          let device = Shopper(HTTPConnection(), user: name)
          device.cookie = cookie
          guard let cart = try? device.cart() else { return }
          if cart["merge"]["lines"].elements.count == 3 { reports.withLock { $0 += 1 } }
        }
        // One of them is told that the lines came.
        #expect(reports.withLock(\.self) == 1)
        let cart = try user.cart()
        #expect(cart["counts"]["quantity"] == 3)
        #expect(Set(cart.skus) == ["t-a", "t-b", "t-c"])
      }
    }

    @Test func theMergedCartIsInPostgreSQLBeforeTheAnswer() throws {
      let guest = shop.newGuest()
      try guest.add("t-a", 2)
      let user = shop.newUser()
      user.cookie = guest.cookie
      _ = try user.cart()
      let rows = try Database().rows(
        "SELECT sku, quantity FROM cart_lines WHERE owner_kind = 'user' AND owner_id = '\(try #require(user.user))'")
      #expect(rows == [["t-a", "2"]])
    }
  }
}
