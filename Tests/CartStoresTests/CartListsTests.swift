import CartDomain
import Testing

@testable import CartStores

@Suite("Lists of carts", .requiresRedis)
struct CartListsTests {
  @Test("Every cart is met once, also where many have the same time", arguments: [1, 3, 500])
  func pages(size: Int) throws {
    let lists = CartLists(RedisConnection(try RedisTesting.configuration()))
    var expected: Set<CartOwner> = []
    for (time, count) in [(5, 2), (10, 7), (11, 1), (12, 4)] {
      let owners = (0..<count).map { _ in CartOwner.anyUser() }
      try lists.add(owners, to: .active, at: Timestamp(milliseconds: Int64(time)))
      if (10...11).contains(time) { expected.formUnion(owners) }
    }
    var met: [CartOwner] = []
    var place: String? = "6 "
    repeat {
      let page = try lists.page(.active, after: place, upTo: Timestamp(milliseconds: 11), limit: size)
      met += page.carts.map(\.owner)
      // What leaves the list on the way takes nobody else along.
      if let first = page.carts.first { try lists.remove([first.owner], from: .active) }
      place = page.next
    } while place != nil
    #expect(met.count == 8)
    #expect(Set(met) == expected)
  }

  @Test("What names no cart leaves a list, and hides nobody")
  func strays() throws {
    let redis = RedisConnection(try RedisTesting.configuration())
    let lists = CartLists(redis)
    let user = CartOwner.anyUser()
    for name in ["nonsense", "cart:nobody:x", "b"] { try redis.run("ZADD", redis.keys.dirty, "1", name) }
    try lists.add([user], to: .dirty, at: Timestamp(milliseconds: 2))
    var met: [CartOwner] = []
    var place: String?
    repeat {
      let page = try lists.page(.dirty, after: place, limit: 1)
      met += page.carts.map(\.owner)
      place = page.next
    } while place != nil
    #expect(met == [user])
    #expect(try lists.count(.dirty) == 1)
  }
}
