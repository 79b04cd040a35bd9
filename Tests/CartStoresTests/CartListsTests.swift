import CartDomain
import Testing

@testable import CartStores

@Suite("Lists of carts", .requiresRedis)
struct CartListsTests {
  @Test("Every cart is met once, also where many have the same time", arguments: [1, 3, 500])
  func batches(size: Int) throws {
    let lists = CartLists(RedisConnection(try RedisTesting.configuration()))
    var expected: Set<CartOwner> = []
    for (time, count) in [(5, 2), (10, 7), (11, 1), (12, 4)] {
      let owners = (0..<count).map { _ in CartOwner.anyUser() }
      try lists.add(owners, to: .active, at: Timestamp(milliseconds: Int64(time)))
      if (10...11).contains(time) { expected.formUnion(owners) }
    }
    var met: [CartOwner] = []
    try lists.forEach(
      .active, from: Timestamp(milliseconds: 6), upTo: Timestamp(milliseconds: 11), inBatchesOf: size
    ) { found throws(StoreError) in
      #expect(found.count <= size + 7)
      met += found.map(\.owner)
      // What leaves the list on the way takes nobody else along.
      try lists.remove([found[0].owner], from: .active)
    }
    #expect(met.count == 8)
    #expect(Set(met) == expected)
  }
}
