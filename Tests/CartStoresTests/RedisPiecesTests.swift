import CartDomain
import Foundation
import TestSupport
import Testing

@testable import CartStores

@Suite("The pieces of the Redis store") struct RedisPiecesTests {
  @Test("A bounded cache keeps what was used last: the same as a list that is searched")
  func boundedCache() {
    var random = SeededRandom(seed: 7)
    for capacity in [1, 2, 3, 8] {
      var cache = BoundedCache<Int, Int>(capacity: capacity)
      var list: [(key: Int, value: Int)] = []
      for step in 0..<3_000 {
        let key = Int.random(in: 0..<capacity * 2, using: &random)
        let known = list.firstIndex { $0.key == key }
        if Bool.random(using: &random) {
          #expect(cache.value(for: key) == known.map { list[$0].value })
          if let known { list.insert(list.remove(at: known), at: 0) }
        } else {
          cache.insert(step, for: key)
          if let known { list.remove(at: known) }
          list.insert((key, step), at: 0)
          if list.count > capacity { list.removeLast() }
        }
        #expect(cache.count == list.count)
      }
    }
  }

  @Test("A revision's content comes back as it went")
  func revisions() {
    let plain = ProductRevision.Content(
      sku: "A|-=1:", name: "", unitPrice: Money(minorUnits: 0, currency: Currency("GBP")!))
    let full = ProductRevision.Content(
      sku: "日本", merchantID: MerchantID("m 1")!, name: "a:b-=|\u{0}é", picture: "/p/1.jpg",
      unitPrice: Money(minorUnits: 1_000_000_000, currency: Currency("JPY")!), purchaseLimit: 1, customerLimit: 2,
      minimumQuantity: 3, quantityStep: 4, availableFrom: Timestamp(milliseconds: -1),
      availableUntil: Timestamp(milliseconds: 4_000_000_000_001), isActive: false)
    for content in [plain, full] {
      let bytes = RevisionCodec.encode(content)
      #expect(decode(bytes) == content)
      #expect(decode(bytes + Array("3:new-".utf8)) == content)
      for length in bytes.indices { #expect(decode(Array(bytes[..<length])) == nil) }
      for index in bytes.indices {
        for value: UInt8 in [0, 0x2D, 0x39, 0x3A, 0x3D, 0xFF] {
          var damaged = bytes
          damaged[index] = value
          _ = decode(damaged)
        }
      }
    }
    #expect(decode(Array("2\(1)".utf8)) == nil)
    #expect(decode(Array("199999999999999999999:x".utf8)) == nil)
    #expect(decode(Array("19223372036854775807:x".utf8)) == nil)
  }

  @Test("Random bytes are never more than refused")
  func randomBytes() {
    var random = SeededRandom(seed: 11)
    let letters = Array("0123456789|:-=%#+{}A\u{0}\u{7F}é\"".utf8) + [0xFF, 0x80]
    var unpacked = 0
    for _ in 0..<20_000 {
      let bytes = (0..<Int.random(in: 0...24, using: &random)).map { _ in random.pick(letters) }
      if PackedFields.unpack(bytes.span) != nil { unpacked += 1 }
      _ = decode([UInt8(ascii: "1")] + bytes)
      _ = try? LineItem(packed: bytes.span, of: "A")
      _ = CatalogueEntry(bytes.span)
      _ = percentDecoded(bytes)
      _ = Int64(decimal: bytes.span)
    }
    #expect(unpacked > 0)
  }

  @Test(
    "An address is a socket's path or a host and a port",
    arguments: [
      ("unix:/run/redis.sock", .unix(path: "/run/redis.sock")), ("localhost:6379", .tcp(host: "localhost", port: 6379)),
      ("[::1]:7000", .tcp(host: "::1", port: 7000)), ("unix:", nil), ("localhost", nil), (":6379", nil),
      ("localhost:0", nil), ("localhost:65536", nil), ("localhost:x", nil), ("", nil), ("unix:/a\0b", nil),
    ] as [(String, RedisConfiguration.Address?)])
  func addresses(_ text: String, _ address: RedisConfiguration.Address?) {
    #expect(RedisConfiguration.Address(text) == address)
  }

  @Test("The settings name Redis, and the password is trimmed")
  func settings() throws {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent(RedisTesting.uniqueName("password-"))
    try Data(" se cret\n\r\n".utf8).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    func configuration(_ flags: [SettingKey: String]) throws -> RedisConfiguration {
      try RedisConfiguration(Settings(flags: flags) { _ in nil })
    }
    let plain = try configuration([:])
    #expect(plain.address == .tcp(host: "127.0.0.1", port: 6379) && plain.database == 0 && plain.prefix == "")
    #expect(plain.user == nil && plain.password == nil && plain.timeoutMilliseconds == 2_000)
    let full = try configuration([
      .redis: "unix:/r.sock", .redisDatabase: "3", .redisPrefix: "shop:", .redisUser: "cart",
      .redisPasswordFile: file.path,
    ])
    #expect(full.address == .unix(path: "/r.sock") && full.database == 3 && full.prefix == "shop:")
    #expect(full.user == "cart" && full.password == Array("se cret".utf8))
    for wrong in [[.redis: "nowhere"], [.redisDatabase: "x"], [.redisPasswordFile: "/nonexistent"]]
      as [[SettingKey: String]]
    {
      #expect(throws: SettingsError.self) { try configuration(wrong) }
    }
  }

  @Test("Control bytes, braces and percent signs of an id don't stand in a key")
  func keys() throws {
    let keys = RedisKeys(prefix: "p:")
    #expect(keys.cart(of: .guest(GuestCartID("abcdefghijklmnopqrstuv")!)) == "p:cart:guest:abcdefghijklmnopqrstuv")
    #expect(PercentEncoding.encode("a\u{1}\u{7F}{%}é", reserved: Array("{}".utf8)) == "a%01%7F%7B%25%7Dé")
    #expect(percentDecoded(Array("a%01%7f%7B%25é".utf8)) == Array("a\u{1}\u{7F}{%é".utf8))
    #expect(percentDecoded(Array("%4".utf8)) == nil)
  }

  @Test("Redis's clock is never thought to be ahead of what it was")
  func clock() {
    var clock = RedisClock()
    clock.learn(1_000_000, sent: 100, received: 110)
    #expect(clock.time(at: 110).milliseconds == 1_000_000)
    // A slow answer says less than what is known.
    clock.learn(1_000_500, sent: 600, received: 2_600)
    #expect(clock.time(at: 2_600).milliseconds == 1_002_490)
    // A leap back, and one ahead.
    clock.learn(900_000, sent: 3_000, received: 3_004)
    #expect(clock.time(at: 3_004).milliseconds <= 900_004)
    clock.learn(2_000_000, sent: 4_000, received: 4_004)
    #expect(clock.time(at: 4_004).milliseconds == 2_000_000)
    clock.learn(.max, sent: 0, received: 0)
    clock.learn(-1, sent: 0, received: 0)
    #expect(clock.time(at: 4_004).milliseconds == 2_000_000)
  }

  private func decode(_ bytes: [UInt8]) -> ProductRevision.Content? { RevisionCodec.decode(bytes.span) }

  private func percentDecoded(_ bytes: [UInt8]) -> [UInt8]? { PercentEncoding.decode(bytes.span) }
}
