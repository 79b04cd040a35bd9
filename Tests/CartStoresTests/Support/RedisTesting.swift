import CartDomain
import Foundation
import Testing

@testable import CartStores

/// The Redis that tests run against: `CART_TEST_REDIS`, `unix:/path` or `host:port`.
enum RedisTesting {
  static let address = ProcessInfo.processInfo.environment["CART_TEST_REDIS"].flatMap {
    RedisConfiguration.Address($0)
  }

  /// A configuration whose keys no other test uses, but the one that gives the same prefix.
  static func configuration(prefix: String? = nil) throws -> RedisConfiguration {
    RedisConfiguration(address: try #require(address), prefix: prefix ?? uniqueName("test:") + ":")
  }

  static func uniqueName(_ start: String) -> String {
    start + String(UInt64.random(in: .min ... .max), radix: 36)
  }
}

extension Trait where Self == ConditionTrait {
  static var requiresRedis: Self {
    .enabled(if: RedisTesting.address != nil, "CART_TEST_REDIS names no Redis")
  }
}

extension RedisConnection {
  /// Runs a command and answers its reply as text, for looking behind the store's back.
  @discardableResult
  func run(_ words: String...) throws -> String? { try run(words) }

  @discardableResult
  func run(_ words: [String]) throws -> String? {
    var command = RedisCommand()
    for word in words { command.append(word) }
    return try exchange(command, .idempotent).read(0) { value throws(StoreError) in
      if let integer = value.integer { return String(integer) }
      if value.count != nil { return nil }
      return try value.string()
    }
  }

  /// The elements of an array of strings.
  func list(_ words: String...) throws -> [String?] {
    var command = RedisCommand()
    for word in words { command.append(word) }
    return try exchange(command, .idempotent).read(0) { value throws(StoreError) in
      var texts: [String?] = []
      for index in 0..<(value.count ?? 0) {
        texts.append(try value.element(index) { element throws(StoreError) in try element.string() })
      }
      return texts
    }
  }

  /// Deletes every key under the prefix.
  func removeAll() throws {
    var cursor = "0"
    repeat {
      let scan = RedisCommand("SCAN", cursor, "MATCH", keys.prefix + "*", "COUNT", "1000")
      let (next, names) = try exchange(scan, .idempotent).read(0) { value throws(StoreError) in
        let next = try value.element(0) { element throws(StoreError) in try element.string() } ?? "0"
        let names = try value.element(1) { list throws(StoreError) in
          var names: [String] = []
          for index in 0..<(list.count ?? 0) {
            names.append(try list.element(index) { name throws(StoreError) in try name.string() } ?? "")
          }
          return names
        }
        return (next, names)
      }
      for name in names { try run("DEL", name) }
      cursor = next
    } while cursor != "0"
  }

  /// All events of the stream, oldest first.
  func events() throws -> [CartEvent] {
    try exchange(RedisCommand("XRANGE", keys.stream, "-", "+"), .idempotent).read(0) { value throws(StoreError) in
      var events: [CartEvent] = []
      for index in 0..<(value.count ?? 0) {
        events.append(try value.element(index) { entry throws(StoreError) in try CartEvent(entry, keys: keys) })
      }
      return events
    }
  }

  func hash(of owner: CartOwner) throws -> CartHash? {
    try exchange(RedisCommand("HGETALL", keys.cart(of: owner)), .idempotent).read(0) { value throws(StoreError) in
      try CartHash(owner: owner, fields: value)
    }
  }
}
