import CartDomain

extension ChangeStream {
  /// Removes what waits of one cart.
  ///
  /// - Returns: the entries' ids.
  func remove(_ owner: CartOwner) throws(StoreError) -> [String] {
    let cart = connection.keys.cart(of: owner)
    var removed: [String] = []
    var start = "-"
    while true {
      let command = RedisCommand("XRANGE", key, start, "+", "COUNT", "1000")
      let (ids, last) = try connection.exchange(command, .reading).read(0) { entries throws(StoreError) in
        try Self.ids(of: entries, about: cart)
      }
      if !ids.isEmpty {
        var deletion = RedisCommand("XDEL", key)
        for id in ids { deletion.append(id) }
        try connection.exchange(deletion, .reading).check(0)
        removed += ids
      }
      guard let last else { return removed }
      start = "(" + last
    }
  }

  private static func ids(
    of entries: borrowing RedisValue, about cart: String
  ) throws(StoreError) -> (ids: [String], last: String?) {
    var ids: [String] = []
    var last: String?
    for index in 0..<(entries.count ?? 0) {
      try entries.element(index) { entry throws(StoreError) in
        guard let id = try entry.element(0, { value throws(StoreError) in try value.string() }) else { return }
        last = id
        if try entry.element(1, { fields throws(StoreError) in try Self.names(fields, cart) }) { ids.append(id) }
      }
    }
    return (ids, last)
  }

  private static func names(_ fields: borrowing RedisValue, _ cart: String) throws(StoreError) -> Bool {
    for index in stride(from: 0, to: (fields.count ?? 0) - 1, by: 2) {
      let name = try fields.element(index) { value throws(StoreError) in try value.bytes() }
      guard name == [UInt8(ascii: "k")] else { continue }
      return try fields.element(index + 1) { value throws(StoreError) in try value.bytes() } == Array(cart.utf8)
    }
    return false
  }

  /// How many of some entries a reader has taken and not acknowledged.
  func inHand(_ ids: [String]) throws(StoreError) -> Int {
    if ids.isEmpty { return 0 }
    let commands = ids.map { RedisCommand("XPENDING", key, Self.group, $0, $0, "1") }
    let replies = try connection.exchange(commands, .reading)
    var count = 0
    for index in ids.indices where !replies.isError(index, code: "NOGROUP") {
      count += try replies.read(index) { value in value.count ?? 0 }
    }
    return count
  }
}
