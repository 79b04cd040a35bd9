import CartDomain
import Testing

@testable import CartStores

@Suite("What Redis holds is read, or refused, and never trusted") struct CartHashTests {
  private static let owner = CartOwner.user(UserID("someone")!)
  private static let line = "2|1|1763805600000|1|m%7C1|255|rev_000000000001"

  @Test("A whole cart is read", .requiresRedis) func reading() throws {
    let hash = try #require(
      try Self.read([
        "#v": "12", "#c": "GBP", "#u": "1763805600001", "#x": "1766397600", "#k": "1763805600", "#l": "3", "#e": "9",
        "#p": "11", "#d": "7.1", "#i": "4", "#o": "cart:user:x", "#s": "1", "#r0": "ABCDEFGHIJKL", "#new": "later",
        "=B": "1|0|1763805600001|2|main|0|rev_000000000002", "=A|": Self.line, "+A|": #"{"a":1}"#,
      ]))
    #expect(hash.cart.lines.map(\.sku) == ["A|", "B"])
    let line = hash.cart.lines[0]
    #expect(line.quantity == 2 && line.isSelected && line.unitPrice == 255 && line.version == 1)
    #expect(line.merchantID.text == "m|1" && line.clientData == Array(#"{"a":1}"#.utf8))
    #expect(line.packed == Self.line)
    #expect(hash.cart.version == 12 && hash.cart.currency?.code == "GBP" && hash.cart.clock == 1_763_805_600_001)
    #expect(hash.cart.expiresAt == Timestamp(seconds: 1_766_397_600) && hash.cookieRenewedSecond == 1_763_805_600)
    #expect(hash.history == 3 && hash.epoch == 9 && hash.persistedVersion == 11 && hash.databaseLineage == "7.1")
    #expect(hash.inboxNumber == 4 && hash.state == .merging && hash.mergedInto == "cart:user:x")
    #expect(hash.ring == [RetryKey(key: Array("ABCDEFGH".utf8), request: Array("IJKL".utf8))])
    #expect(try Self.read([:]) == nil)
  }

  @Test("A cart that is put back says whether it must be added up at a change") func heavy() throws {
    for (price, isHeavy) in [(4_503_599, false), (4_503_600, true)] {
      let value = "1000000|1|1763805600000|1|main|\(price)|rev_000000000001"
      var cart = Cart(owner: Self.owner)
      cart.lines = [try LineItem(packed: Array(value.utf8).span, of: "A")]
      let text = String(decoding: CartHash(cart: cart).fields.bytes, as: UTF8.self)
      #expect(text.contains("#h") == isHeavy)
    }
  }

  @Test(
    "Garbage is refused", .requiresRedis,
    arguments: [
      ["x": "1"], ["": "1"], ["#v": "x"], ["#v": ""], ["#v": "-1"], ["#v": "9223372036854775808"], ["#s": "3"],
      ["#c": "???"], ["#c": "GBP"], ["#x": "99999999999999999"], ["#r0": "short"], ["#r9": "ABCDEFGHIJKL"], ["#r": ""],
      ["=": line, "#c": "GBP"], ["=A": "", "#c": "GBP"], ["=A": line], ["=A": line + "|", "#c": "GBP"],
      ["=A": "0|1|1|1|m|1|rev_000000000001", "#c": "GBP"], ["=A": "1000001|1|1|1|m|1|rev_000000000001", "#c": "GBP"],
      ["=A": "1|2|1|1|m|1|rev_000000000001", "#c": "GBP"], ["=A": "1|1|1|1||1|rev_000000000001", "#c": "GBP"],
      ["=A": "1|1|1|1|%|1|rev_000000000001", "#c": "GBP"], ["=A": "1|1|1|1|%zz|1|rev_000000000001", "#c": "GBP"],
      ["=A": "1|1|1|1|m|1|", "#c": "GBP"], ["=A": "1|1|1|1|m|-1|rev_000000000001", "#c": "GBP"],
      ["=A": "1|1|1|1|m", "#c": "GBP"], ["=A": "18446744073709551617|1|1|1|m|1|rev_000000000001", "#c": "GBP"],
      ["+A": "{}"], ["=A": line, "+B": "{}", "#c": "GBP"],
    ] as [[String: String]])
  func garbage(_ fields: [String: String]) throws {
    #expect { try Self.read(fields) } throws: { ($0 as? StoreError)?.code == .corrupt }
  }

  @Test("Bytes that are no text are refused", .requiresRedis) func notText() throws {
    let connection = RedisConnection(try RedisTesting.configuration())
    var command = RedisCommand("HSET", connection.keys.cart(of: Self.owner))
    command.append([UInt8(ascii: "="), 0xFF])
    command.append(Self.line)
    _ = try connection.exchange(command, .idempotent).read(0) { $0.integer }
    #expect { try connection.hash(of: Self.owner) } throws: { ($0 as? StoreError)?.code == .corrupt }
    try connection.removeAll()
  }

  @Test("A change on garbage is refused and changes nothing", .requiresRedis) func changeOnGarbage() throws {
    let test = try StoreUnderTest(.redis)
    let connection = try #require(test.connection)
    test.shop.put("A")
    let user = CartOwner.anyUser()
    try test.add(user, "A")
    let key = connection.keys.cart(of: user)
    try connection.run("HSET", key, "=A", "garbage")
    #expect { try test.add(user, "A") } throws: { ($0 as? StoreError)?.code == .corrupt }
    #expect { try test.change(user, .select(false, .all)) } throws: { ($0 as? StoreError)?.code == .corrupt }
    #expect(try connection.run("HGET", key, "#v") == "1")
    // What a change made of another line can't be read.
    test.shop.put("B")
    try test.publish()
    var error: StoreError?
    do { _ = try test.add(user, "B") } catch let caught as StoreError { error = caught }
    #expect(error?.code == .corrupt && error?.isOutcomeUnknown == true)
    #expect(try connection.run("HGET", key, "#v") == "2")
    #expect(try test.change(user, .remove(.all)).outcome == .changed)
  }

  private static func read(_ fields: [String: String]) throws -> CartHash? {
    let connection = RedisConnection(try RedisTesting.configuration())
    var command = RedisCommand("HSET", connection.keys.cart(of: owner))
    for (name, value) in fields {
      command.append(name)
      command.append(value)
    }
    defer { try? connection.removeAll() }
    if !fields.isEmpty { _ = try connection.exchange(command, .idempotent).read(0) { $0.integer } }
    return try connection.hash(of: owner)
  }
}
