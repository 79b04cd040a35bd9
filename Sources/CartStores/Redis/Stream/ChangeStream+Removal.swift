import CartDomain

extension ChangeStream {
  /// Removes what waits of one cart, also what was set aside.
  ///
  /// - Returns: how many entries.
  func remove(_ owner: CartOwner) throws(StoreError) -> Int {
    let cart = connection.keys.cart(of: owner)
    try clearAside(of: owner)
    var removed = 0
    var start = "-"
    while true {
      let command = RedisCommand("XRANGE", connection.keys.stream, start, "+", "COUNT", "1000")
      let (ids, last) = try connection.exchange(command, .idempotent).read(0) { entries throws(StoreError) in
        try Self.ids(of: entries, about: cart)
      }
      if !ids.isEmpty {
        try remove(ids)
        removed += ids.count
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
}
