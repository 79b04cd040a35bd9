package import CartDomain

/// The sorted sets by which carts are found.
package final class CartLists {
  package enum List: Sendable {
    /// Those to be persisted, by the time of the first change that PostgreSQL has not.
    case dirty
    /// Those lately used, by the time of the last use.
    case active
    /// Those that PostgreSQL refuses, by the time of the next attempt.
    case quarantine
    /// Those of which changes were set aside, by the time of the next attempt.
    case aside
  }

  let connection: RedisConnection

  package init(_ connection: RedisConnection) { self.connection = connection }

  private func key(_ list: List) -> String {
    switch list {
    case .dirty: connection.keys.dirty
    case .active: connection.keys.active
    case .quarantine: connection.keys.quarantine
    case .aside: connection.keys.aside
    }
  }

  package typealias Entry = (owner: CartOwner, time: Timestamp)

  /// Carts by their time, the earliest first, and those of one time by their keys.
  ///
  /// - Parameters:
  ///   - place: where a former page has ended, or a time in milliseconds and a space; `nil` at the beginning. What leaves
  ///     the list meanwhile takes nobody along.
  ///   - latest: carts of a later time are left out.
  ///   - limit: so many entries are looked at.
  /// - Returns: the carts, and where to go on; `nil` when there are no more.
  package func page(
    _ list: List, after place: String? = nil, upTo latest: Timestamp? = nil, limit: Int
  ) throws(StoreError) -> (carts: [Entry], next: String?) {
    let parts = (place ?? "").split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    let (start, passed) = parts.count == 2 ? (parts[0], parts[1]) : ("-inf", "")
    var count = limit
    while true {
      let command = RedisCommand(
        "ZRANGE", key(list), start, latest.map { "\($0.milliseconds)" } ?? "+inf",
        "BYSCORE", "LIMIT", "0", String(count), "WITHSCORES")
      let found = try names(connection.exchange(command, .idempotent))
      let fresh = found.filter { $0.score != start || passed.utf8.lexicographicallyPrecedes($0.name.utf8) }
      // More carts than the limit may have the time at which the last page has ended.
      if fresh.isEmpty, found.count == count {
        count *= 2
        continue
      }
      let isLast = found.count < count
      return (try carts(of: fresh, on: list), isLast ? nil : fresh.last.map { "\($0.score) \($0.name)" })
    }
  }

  private typealias Name = (name: String, score: String)

  private func names(_ replies: borrowing RedisReplies) throws(StoreError) -> [Name] {
    try replies.read(0) { value throws(StoreError) in
      var found: [Name] = []
      for index in stride(from: 0, to: value.count ?? 0, by: 2) {
        let name = try value.element(index) { element throws(StoreError) in
          try element.withBytes { String(decoding: [UInt8](copying: $0), as: UTF8.self) } ?? ""
        }
        let score = try value.element(index + 1) { element throws(StoreError) in try element.string() ?? "" }
        found.append((name, score))
      }
      return found
    }
  }

  /// What names no cart would stand at the head of the list for ever, and is removed.
  private func carts(of names: [Name], on list: List) throws(StoreError) -> [Entry] {
    var found: [Entry] = []
    var strays: [String] = []
    for (name, score) in names {
      if let owner = connection.keys.owner(ofCart: name), let time = Int64(score) {
        found.append((owner, Timestamp(milliseconds: time)))
      } else {
        strays.append(name)
      }
    }
    if !strays.isEmpty { try change("ZREM", list, strays) }
    return found
  }

  package func count(_ list: List) throws(StoreError) -> Int {
    try connection.exchange(RedisCommand("ZCARD", key(list)), .idempotent).read(0) { value in Int(value.integer ?? 0) }
  }

  /// Puts carts on a list at `time`; those that are on it stay where they are.
  package func add(_ owners: [CartOwner], to list: List, at time: Timestamp) throws(StoreError) {
    if owners.isEmpty { return }
    var words: [String] = []
    for owner in owners { words += [String(time.milliseconds), connection.keys.cart(of: owner)] }
    try change("ZADD", list, ["NX"] + words)
  }

  /// Gives a cart another time, if it is on the list.
  package func move(_ owner: CartOwner, on list: List, to time: Timestamp) throws(StoreError) {
    try change("ZADD", list, ["XX", String(time.milliseconds), connection.keys.cart(of: owner)])
  }

  /// Notes why a cart, or a change of it, is refused; `nil` if it is not any more.
  package func note(_ reason: String?, of owner: CartOwner) throws(StoreError) {
    let (key, cart) = (connection.keys.reasons, connection.keys.cart(of: owner))
    let command = reason.map { RedisCommand("HSET", key, cart, $0) } ?? RedisCommand("HDEL", key, cart)
    try connection.runAllowingOOM(command, on: key).check(0)
  }

  /// Why carts are refused; `nil` for those of which that is not known.
  package func reasons(of owners: [CartOwner]) throws(StoreError) -> [String?] {
    if owners.isEmpty { return [] }
    var command = RedisCommand("HMGET", connection.keys.reasons)
    for owner in owners { command.append(connection.keys.cart(of: owner)) }
    return try connection.exchange(command, .idempotent).read(0) { list throws(StoreError) in
      var reasons: [String?] = []
      for index in owners.indices {
        reasons.append(try list.element(index) { value throws(StoreError) in try value.string() })
      }
      return reasons
    }
  }

  package func remove(_ owners: [CartOwner], from list: List) throws(StoreError) {
    if !owners.isEmpty { try change("ZREM", list, owners.map { connection.keys.cart(of: $0) }) }
  }

  private func change(_ name: String, _ list: List, _ words: [String]) throws(StoreError) {
    var command = RedisCommand(name, key(list))
    for word in words { command.append(word) }
    try connection.runAllowingOOM(command, on: key(list)).check(0)
  }

  /// Some of the carts that Redis has, by SCAN: a cart may be met twice, none is left out that is there all the time.
  ///
  /// - Parameter place: where a former call has ended; `nil` at the beginning.
  /// - Returns: the carts, and where to go on; `nil` when there are no more.
  package func scan(after place: String?) throws(StoreError) -> (owners: [CartOwner], next: String?) {
    // A `*` or a bracket in the prefix finds more than it should, and what is no cart's key is passed over.
    let command = RedisCommand("SCAN", place ?? "0", "MATCH", connection.keys.prefix + "cart:*", "COUNT", "1000")
    let replies = try connection.exchange(command, .idempotent)
    return try replies.read(0) { answer throws(StoreError) in
      var owners: Set<CartOwner> = []
      try answer.element(1) { names throws(StoreError) in
        for index in 0..<(names.count ?? 0) {
          let name = try names.element(index) { value throws(StoreError) in try value.string() } ?? ""
          if let owner = connection.keys.owner(ofCart: name) { owners.insert(owner) }
        }
      }
      let next = try answer.element(0) { value throws(StoreError) in try value.string() } ?? "0"
      return (Array(owners), next == "0" ? nil : next)
    }
  }
}

@available(*, unavailable)
extension CartLists: Sendable {}
