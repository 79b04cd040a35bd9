package import CartDomain

/// The sorted sets by which carts are found: those to be persisted, those lately used, those that PostgreSQL refuses.
package final class CartLists {
  package enum List: Sendable {
    /// By the time of the first change that PostgreSQL has not.
    case dirty
    /// By the time of the last use.
    case active
    /// By the time of the refusal.
    case quarantine
  }

  private let connection: RedisConnection

  package init(_ connection: RedisConnection) { self.connection = connection }

  private func key(_ list: List) -> String {
    switch list {
    case .dirty: connection.keys.dirty
    case .active: connection.keys.active
    case .quarantine: connection.keys.quarantine
    }
  }

  /// Carts by their time, the earliest first, and that time.
  package func carts(
    _ list: List, from earliest: Timestamp? = nil, upTo latest: Timestamp? = nil, limit: Int
  ) throws(StoreError) -> [(owner: CartOwner, time: Timestamp)] {
    let command = RedisCommand(
      "ZRANGE", key(list), earliest.map { "\($0.milliseconds)" } ?? "-inf",
      latest.map { "\($0.milliseconds)" } ?? "+inf",
      "BYSCORE", "LIMIT", "0", String(limit), "WITHSCORES")
    let replies = try connection.exchange(command, .reading)
    var strays: [String] = []
    let found = try replies.read(0) { value throws(StoreError) in
      var found: [(owner: CartOwner, time: Timestamp)] = []
      for index in stride(from: 0, to: value.count ?? 0, by: 2) {
        let name = try value.element(index) { element throws(StoreError) in try element.string() } ?? ""
        let score = try value.element(index + 1) { element throws(StoreError) in try element.string() } ?? ""
        guard let owner = connection.keys.owner(ofCart: name), let time = Int64(score) else {
          strays.append(name)
          continue
        }
        found.append((owner, Timestamp(milliseconds: time)))
      }
      return found
    }
    // What names no cart would stand at the head of the list for ever.
    if strays.isEmpty { return found }
    try change("ZREM", list, strays)
    return found.isEmpty ? try carts(list, from: earliest, upTo: latest, limit: limit) : found
  }

  /// Lends carts by their time to `body`, batch by batch, the earliest first. Each batch begins at the time where the
  /// last one ended: Redis would walk through all that is passed over by a number, again for each batch.
  package func forEach(
    _ list: List, from earliest: Timestamp? = nil, upTo latest: Timestamp, inBatchesOf limit: Int,
    _ body: ([(owner: CartOwner, time: Timestamp)]) throws(StoreError) -> Void
  ) throws(StoreError) {
    var start = earliest
    // Those of the time `start`.
    var met: Set<CartOwner> = []
    while true {
      let found = try carts(list, from: start, upTo: latest, limit: limit + met.count)
      let fresh = found.filter { !met.contains($0.owner) }
      guard let last = fresh.last else { return }
      if last.time != start { met = [] }
      start = last.time
      for cart in fresh where cart.time == last.time { met.insert(cart.owner) }
      try body(fresh)
    }
  }

  package func count(_ list: List) throws(StoreError) -> Int {
    try connection.exchange(RedisCommand("ZCARD", key(list)), .reading).read(0) { value in Int(value.integer ?? 0) }
  }

  /// Puts carts on a list at `time`; those that are on it stay where they are.
  package func add(_ owners: [CartOwner], to list: List, at time: Timestamp) throws(StoreError) {
    if owners.isEmpty { return }
    var words: [String] = []
    for owner in owners { words += [String(time.milliseconds), connection.keys.cart(of: owner)] }
    try change("ZADD", list, ["NX"] + words)
  }

  package func remove(_ owners: [CartOwner], from list: List) throws(StoreError) {
    if !owners.isEmpty { try change("ZREM", list, owners.map { connection.keys.cart(of: $0) }) }
  }

  private func change(_ name: String, _ list: List, _ words: [String]) throws(StoreError) {
    var command = RedisCommand(name, key(list))
    for word in words { command.append(word) }
    try connection.carryOutAnyway(command, on: key(list)).check(0)
  }

  /// Every cart that Redis has, in batches.
  package func forEachCart(_ body: ([CartOwner]) throws(StoreError) -> Void) throws(StoreError) {
    var cursor = "0"
    repeat {
      // A `*` or a bracket in the prefix finds more than it should, and what is no cart's key is passed over.
      let command = RedisCommand("SCAN", cursor, "MATCH", connection.keys.prefix + "cart:*", "COUNT", "1000")
      let replies = try connection.exchange(command, .reading)
      var owners: Set<CartOwner> = []
      cursor = try replies.read(0) { answer throws(StoreError) in
        try answer.element(1) { names throws(StoreError) in
          for index in 0..<(names.count ?? 0) {
            let name = try names.element(index) { value throws(StoreError) in try value.string() } ?? ""
            if let owner = connection.keys.owner(ofCart: name) { owners.insert(owner) }
          }
        }
        return try answer.element(0) { value throws(StoreError) in try value.string() } ?? "0"
      }
      if !owners.isEmpty { try body(Array(owners)) }
    } while cursor != "0"
  }
}

@available(*, unavailable)
extension CartLists: Sendable {}
