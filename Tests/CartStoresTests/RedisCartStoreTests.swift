import CartDomain
import Foundation
import Testing

@testable import CartStores

/// What Redis keeps beside the contract: keys, marks, events, size.
@Suite("Carts in Redis", .requiresRedis, .requiresPostgres) struct RedisCartStoreTests {
  @Test("A hundred changes at once from eight threads: none is lost, none counted twice")
  func concurrency() async throws {
    let (configuration, schema) = (try RedisTesting.configuration(), try PostgresSchema())
    let user = CartOwner.anyUser()
    let threads = 8
    let rounds = 60
    let acknowledged = try await withThrowingTaskGroup(of: Int.self) { group in
      for thread in 0..<threads {
        group.addTask {
          let shop = Shop()
          shop.put("shared")
          for round in 0..<rounds { shop.put(SKU("t\(thread)-\(round)")!) }
          let store = StoreGraph(RedisConnection(configuration), try schema.connection(), source: shop).store
          var changes = 0
          func change(_ change: CartChange) throws {
            if try store.change(ChangeRequest(owner: user, change: change)).outcome == .changed { changes += 1 }
          }
          for round in 0..<rounds {
            let own = SKU("t\(thread)-\(round)")!
            try change(.add([LineAddition(sku: own, quantity: 1), LineAddition(sku: "shared", quantity: 1)]))
            try change(.edit(own, LineEdit(quantity: .delta(1))))
            try change(.select(round.isMultiple(of: 2), .skus([own, "shared"])))
            if round.isMultiple(of: 3) { try change(.remove(.skus([own]))) }
          }
          return changes
        }
      }
      return try await group.reduce(0, +)
    }
    let connection = RedisConnection(configuration)
    let cart = try #require(try connection.hash(of: user)?.cart)
    #expect(cart.version == Int64(acknowledged))
    #expect(cart["shared"]?.quantity == threads * rounds)
    #expect(cart.lines.count == 1 + threads * rounds * 2 / 3)
    #expect(cart.lines.allSatisfy { $0.sku == "shared" || $0.quantity == 2 })
    #expect(try EventReplay(connection).difference(from: user) == nil)
    try connection.removeAll()
  }

  @Test("A change leaves one event and its marks; the first unsynced change stays marked")
  func marks() throws {
    let test = try StoreUnderTest(.redis)
    let connection = try #require(test.connection)
    test.shop.put("A", price: 255)
    let user = CartOwner.anyUser()
    let key = connection.keys.cart(of: user)
    try test.add(user, "A", 2, data: .replace(Array(#"{"n":1}"#.utf8)))
    let first = try connection.run("ZSCORE", connection.keys.dirty, key)
    let active = try connection.run("ZSCORE", connection.keys.active, key)
    #expect(first == active && first != nil)
    while RealTime.now.milliseconds <= Int64(first ?? "") ?? 0 { usleep(500) }
    _ = try test.change(user, .edit("A", LineEdit(quantity: .delta(-1))))
    _ = try test.change(user, .select(true, .all))
    #expect(try connection.run("ZSCORE", connection.keys.dirty, key) == first)
    #expect(try connection.run("ZSCORE", connection.keys.active, key) != active)
    let events = try connection.events()
    #expect(events.map(\.action) == ["add", "edit"] && events.map(\.version) == [1, 2])
    #expect(events.allSatisfy { $0.owner == user && $0.requestID == "request" && $0.currency?.code == "GBP" })
    let touch = try #require(events.last?.touched.first)
    #expect(touch.before?.quantity == 2 && touch.after?.quantity == 1 && touch.after?.unitPrice == 255)
    #expect(touch.before?.clientData == Array(#"{"n":1}"#.utf8) && touch.after?.clientData == touch.before?.clientData)
  }

  @Test("A change of selection by a filter leaves one event: what the lines became, and those that were not so")
  func selection() throws {
    let test = try StoreUnderTest(.redis)
    let connection = try #require(test.connection)
    let user = CartOwner.anyUser()
    for sku: SKU in ["A", "B|1:", "日本"] {
      test.shop.put(sku, merchant: sku == "A" ? "one" : "two")
      try test.add(user, sku, 12, data: .replace(Array(#"{"n":1}"#.utf8)))
    }
    func select(_ flag: Bool, _ filter: LineFilter) throws -> CartEvent? {
      let before = try connection.events().count
      let cart = try test.change(user, .select(flag, filter)).reading.cart
      #expect(try test.store.cart(of: user).cart == cart)
      let events = try connection.events()
      return events.count == before ? nil : events.last
    }
    let first = try #require(try select(false, .merchant(MerchantID("two")!)))
    #expect(first.selection == CartEvent.Selection(isSelected: false, skus: ["B|1:", "日本"]))
    #expect(first.version == 4 && first.action == "select" && first.requestID == "request" && first.touched.isEmpty)
    #expect(first.touches == 2)
    let second = try #require(try select(true, .skus(["日本", "A", "none", "日本"])))
    #expect(second.selection == CartEvent.Selection(isSelected: true, skus: ["日本"]))
    #expect(try select(true, .skus(["A"])) == nil)
    #expect(try select(false, .selected)?.selection?.skus == ["A", "日本"])
    let cart = try test.store.cart(of: user).cart
    #expect(cart.lines.map(\.version) == [6, 4, 6] && cart.lines.allSatisfy { $0.quantity == 12 && !$0.isSelected })
    _ = try test.change(user, .edit("A", LineEdit(isSelected: true)))
    let edit = try #require(try connection.events().last)
    #expect(edit.selection == nil && edit.touched.first?.after?.quantity == 12 && edit.touches == 1)
    #expect(try EventReplay(connection).difference(from: user) == nil)
  }

  @Test(
    "An event that says half of what a selection is can't be read",
    arguments: [
      ["f", "1"], ["s", "1:A"], ["f", "2", "s", "1:A"], ["f", "", "s", "1:A"], ["f", "1", "s", ""],
      ["f", "1", "s", "9:A"], ["f", "1", "s", "-"], ["f", "1", "s", "0:"],
      ["f", "1", "s", "1:A", "l", "1:A---="],
    ])
  func halfSelections(_ fields: [String]) throws {
    let connection = RedisConnection(try RedisTesting.configuration())
    let key = connection.keys.cart(of: .anyUser())
    func add(_ fields: [String]) throws {
      try connection.run(["XADD", connection.keys.stream, "*", "k", key, "e", "1", "v", "1", "a", "select"] + fields)
    }
    try add(["f", "0", "s", "1:A2:BC"])
    #expect(try connection.events().last?.selection?.skus == ["A", "BC"])
    try add(fields)
    #expect { try connection.events() } throws: { ($0 as? StoreError)?.code == .corrupt }
    try connection.removeAll()
  }

  @Test("Two thousand lines that are selected together are some bytes each in the stream")
  func largeSelection() throws {
    let test = try StoreUnderTest(.redis)
    let connection = try #require(test.connection)
    let user = CartOwner.anyUser()
    try test.fill(user, lines: Cart.maximumLines)
    try connection.run("DEL", connection.keys.stream)
    for flag in [false, true] { #expect(try test.change(user, .select(flag, .all)).outcome == .changed) }
    #expect(try connection.events().map(\.touches) == [Cart.maximumLines, Cart.maximumLines])
    let bytes = try #require(try connection.run("MEMORY", "USAGE", connection.keys.stream).flatMap { Int($0) })
    #expect(bytes <= 2 * Cart.maximumLines * 16)
  }

  @Test("Changes of more than 100 lines touch so many in a minute; what would be more waits, and changes nothing")
  func touchLimit() throws {
    let test = try StoreUnderTest(.redis, touchLimit: 300)
    let connection = try #require(test.connection)
    let guest = CartOwner.anyGuest()
    let key = connection.keys.cart(of: guest)
    try test.fill(guest, lines: 120)
    let start = try test.store.cart(of: guest).cart.version
    #expect(try test.change(guest, .select(false, .all), key: RetryKey(1)).outcome == .changed)
    #expect(try test.change(guest, .select(true, .all)).outcome == .changed)
    // 240 of 300 are spent, and come back at five a second: 60 more in twelve seconds.
    func isLimited(_ outcome: ChangeReading.Outcome, to seconds: ClosedRange<Int>) -> Bool {
      if case .limited(let found) = outcome { seconds.contains(found) } else { false }
    }
    let events = try connection.events().count
    for change in [CartChange.select(false, .all), .remove(.all), .remove(.selected)] {
      let refused = try test.change(guest, change)
      #expect(isLimited(refused.outcome, to: 5...12), "\(refused.outcome)")
      #expect(refused.reading.cart.version == start + 2 && refused.reading.cart.lines.count == 120)
    }
    #expect(try connection.events().count == events)
    #expect(try test.store.cart(of: guest).cart.lines.allSatisfy(\.isSelected))
    // A repetition, a condition that does not hold, and a change of fewer lines are not counted.
    #expect(try test.change(guest, .select(false, .all), key: RetryKey(1)).outcome == .replayed)
    #expect(try test.change(guest, .select(false, .all), condition: .oneOf([1])).outcome == .versionMismatch)
    #expect(try test.change(guest, .select(true, .all)).outcome == .unchanged)
    let hundred = (0..<100).map { SKU("s\($0)")! }
    for flag in [false, true, false, true] {
      #expect(try test.change(guest, .select(flag, .skus(hundred))).outcome == .changed)
    }
    #expect(try test.change(guest, .edit("s0", LineEdit(quantity: .delta(1)))).outcome == .changed)
    /// From now on a change of all lines will be possible after so many milliseconds.
    func wait(_ milliseconds: Int64) throws {
      let full = RealTime.now.milliseconds + 60_000 - 24_000 + milliseconds
      try connection.run("HSET", key, "#t", String(full))
    }
    try wait(5_000)
    #expect(isLimited(try test.change(guest, .select(false, .all)).outcome, to: 1...5))
    try wait(0)
    #expect(try test.change(guest, .select(false, .all)).outcome == .changed)
    #expect(isLimited(try test.change(guest, .remove(.all)).outcome, to: 19...24))
    // Prices are acknowledged at the same cost.
    for number in 0..<120 { test.shop.put(SKU("s\(number)")!, price: 7) }
    try test.publish()
    #expect(isLimited(try test.change(guest, .acknowledgePrices(.all)).outcome, to: 15...24))
    try wait(0)
    #expect(try test.change(guest, .acknowledgePrices(.all)).outcome == .changed)
    // A clock that was put back by an hour makes nobody wait for an hour.
    try wait(3_600_000)
    #expect(isLimited(try test.change(guest, .remove(.all)).outcome, to: 19...24))
    try wait(0)
    #expect(try test.change(guest, .remove(.all)).outcome == .changed)
  }

  @Test("A change of more lines than a minute has takes all of them, and is not refused for ever")
  func smallTouchLimit() throws {
    let test = try StoreUnderTest(.redis, touchLimit: 50)
    let user = CartOwner.anyUser()
    try test.fill(user, lines: 101)
    #expect(try test.change(user, .select(false, .all)).outcome == .changed)
    guard case .limited(let seconds) = try test.change(user, .select(true, .all)).outcome else {
      Issue.record("is not refused")
      return
    }
    #expect((55...60).contains(seconds))
    let other = CartOwner.anyUser()
    try test.fill(other, lines: 101)
    #expect(try test.change(other, .select(false, .all)).outcome == .changed)
  }

  @Test("A guest's cookie and life are renewed once a day, by reads and by changes")
  func renewal() throws {
    let test = try StoreUnderTest(.redis)
    let connection = try #require(test.connection)
    test.shop.put("A")
    let guest = CartOwner.anyGuest()
    let key = connection.keys.cart(of: guest)
    try test.add(guest, "A")
    let end = try #require(try connection.run("PEXPIRETIME", key).flatMap { Int64($0) })
    #expect(try test.store.cart(of: guest).cart.expiresAt?.milliseconds == end)
    func age(bySeconds seconds: Int64) throws {
      let now = RealTime.now.seconds
      try connection.run("HSET", key, "#k", String(now - seconds), "#x", String(now + 100))
      try connection.run("PEXPIREAT", key, String((now + 100) * 1000))
    }
    try age(bySeconds: 86_000)
    #expect(try !test.store.cart(of: guest).isCookieDue)
    #expect(try connection.run("PEXPIRETIME", key).flatMap { Int64($0) } ?? 0 < end)
    try age(bySeconds: 86_401)
    let due = try test.store.cart(of: guest)
    #expect(due.isCookieDue && due.cart.version == 1)
    #expect(due.cart.expiresAt?.milliseconds ?? 0 >= end)
    #expect(try connection.run("PEXPIRETIME", key).flatMap { Int64($0) } == due.cart.expiresAt?.milliseconds)
    #expect(try !test.store.cart(of: guest).isCookieDue)
    try age(bySeconds: 86_401)
    #expect(try test.add(guest, "A").reading.isCookieDue)
    #expect(try !test.add(guest, "A").reading.isCookieDue)
    #expect(try connection.events().count == 3)
  }

  @Test("A merged guest is spent, a frozen one waits, another history is not served")
  func states() throws {
    let test = try StoreUnderTest(.redis)
    let connection = try #require(test.connection)
    test.shop.put("A")
    let guest = CartOwner.anyGuest()
    let key = connection.keys.cart(of: guest)
    try test.add(guest, "A")
    try connection.run("HSET", key, "#s", "2", "#o", "cart:user:1")
    #expect(try test.store.cart(of: guest).isGone)
    let change = try test.add(guest, "A")
    #expect(change.reading.isGone && change.outcome == .unchanged && change.reading.cart.lines.isEmpty)
    try connection.run("HSET", key, "#s", "1")
    #expect(throws: StoreError.self) { try test.add(guest, "A") }
  }

  @Test(
    "An owner's cart stands under its own key and nowhere else",
    arguments: ["a}b{c", "100%", "{x}", "%7B", "o'hara \"q\" \\", "日本"])
  func oddOwners(_ name: String) throws {
    let test = try StoreUnderTest(.redis)
    let connection = try #require(test.connection)
    test.shop.put("A")
    let user = CartOwner.user(try #require(UserID(name)))
    try test.add(user, "A")
    let key = connection.keys.cart(of: user)
    let encoded = name.replacing("%", with: "%25").replacing("{", with: "%7B").replacing("}", with: "%7D")
    #expect(key == connection.keys.prefix + "cart:user:" + encoded)
    #expect(try connection.run("EXISTS", key) == "1")
    let kept = [key, connection.keys.stream, connection.keys.dirty, connection.keys.active]
    let shared = [
      connection.keys.history, connection.keys.catalogueVersion, connection.keys.published, connection.keys.catalogue,
      connection.keys.revisions,
    ]
    #expect(Set(try connection.list("KEYS", connection.keys.prefix + "*")) == Set(kept + shared))
    #expect(try connection.events().first?.owner == user)
    #expect(connection.keys.owner(ofCart: key) == user)
  }

  @Test("Five lines take at most 700 bytes")
  func size() throws {
    let test = try StoreUnderTest(.redis)
    let connection = try #require(test.connection)
    let guest = CartOwner.anyGuest()
    for number in 0..<5 {
      let sku = SKU("8512\(number)A")!
      test.shop.put(sku, price: 255, merchant: "m\(number)")
      try test.add(guest, sku, number + 1, key: nil)
    }
    let key = connection.keys.cart(of: guest)
    let bytes = try #require(try connection.run("MEMORY", "USAGE", key).flatMap { Int($0) })
    #expect(bytes <= 700)
    for number in 0..<20 { try test.add(guest, "85120A", key: RetryKey(UInt8(number))) }
    #expect(try connection.run("OBJECT", "ENCODING", key) == "listpack")
    let full = try #require(try connection.run("MEMORY", "USAGE", key).flatMap { Int($0) })
    print("a guest's cart of 5 lines: \(bytes) bytes, with a full ring of retry keys \(full)")
  }
}
