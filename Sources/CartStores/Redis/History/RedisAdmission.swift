package import CartDomain

/// A Redis that wants to speak for the shop, as it presents itself.
struct RedisCandidate: Sendable {
  var replicationID: String
  var formerID: String?
  /// Empty if it can't be known.
  var runID: String
  /// Where it was reached.
  var location: String
  var registration: RedisRegistration?
  var gate = RedisGate.open
  var hasCarts = false

  /// By which `cartctl adopt` names it: its process, or its history if that can't be known.
  var name: String { runID.isEmpty ? replicationID : runID }
}

extension RedisCandidate {
  init(_ server: RedisServer, location: String, hasCarts: Bool) {
    self.init(
      replicationID: server.replicationID, formerID: server.formerID, runID: server.runID, location: location,
      registration: server.registration, gate: server.gate, hasCarts: hasCarts)
  }
}

/// What PostgreSQL knows of the Redis that speaks for the shop.
package struct RedisRecords: Sendable {
  package struct Entry: Equatable, Sendable {
    package var number: Int64
    package var replicationID: String
    package var runID = ""
    /// Empty for one that an older cartd has registered.
    package var location = ""
    package var closed = ""
    package var isDrained = false
    package var successor = ""
    package var registeredAt = Timestamp(milliseconds: 0)
  }

  /// The name of this database among all shops'.
  package var shop: String
  package var hasCarts = false
  package var newest: Entry?
  /// The number of the history that was asked about.
  package var own: Int64?
}

/// What becomes of a Redis that wants to speak for the shop.
enum RedisAdmission: Equatable, Sendable {
  /// Its history is the newest.
  case known(Int64)
  /// It goes on with the newest history, of which it has lost nothing, under another replication id.
  case resumed(Int64)
  /// PostgreSQL was put back and has forgotten the history, which keeps its number.
  case reinstated(Int64)
  /// It begins a new one. What it has may be older than what was answered.
  case begun
  /// Another history has taken its place.
  case superseded
  /// It may not without `cartctl adopt`.
  case refused

  /// The rules, in the order in which they apply.
  init(_ redis: RedisCandidate, _ records: RedisRecords) {
    guard let newest = records.newest else {
      self = .begun
      return
    }
    let memory = redis.registration
    let isOfAnotherShop = memory?.shop.map { $0 != records.shop } ?? false
    let remembers = isOfAnotherShop ? nil : memory?.number
    if records.own == newest.number {
      self = .known(newest.number)
    } else if newest.successor == redis.name {
      self = .begun
    } else if let remembers, remembers > newest.number, memory?.shop == records.shop {
      // Registered after the state that PostgreSQL was put back to.
      self = memory?.replicationID == redis.replicationID ? .reinstated(remembers) : .begun
    } else if !isOfAnotherShop, redis.isUndisturbed(since: newest) {
      // Also where it was registered under two ids, by who had seen the former one: nobody is followed by himself.
      self = .resumed(newest.number)
    } else if records.own != nil {
      self = .superseded
    } else if remembers == newest.number, redis.gate == .closed(newest.closed) {
      self = .resumed(newest.number)
    } else if !records.hasCarts || remembers == newest.number {
      // It was restarted, or is a replica that was promoted.
      self = .begun
    } else if case .superseded = redis.gate {
      self = .superseded
    } else if redis.location == newest.location, !isOfAnotherShop {
      // The same place: it was emptied, replaced or put back to an older state.
      self = .begun
    } else {
      self = newest.isDrained && !redis.hasCarts ? .begun : .refused
    }
  }
}

extension RedisCandidate {
  /// The process of the newest history has taken over nobody else's data since: its replication id is another because
  /// its first replica came, its last one has long gone, or it was told to follow somebody whom it never reached.
  fileprivate func isUndisturbed(since newest: RedisRecords.Entry) -> Bool {
    !runID.isEmpty && runID == newest.runID && (formerID == nil || formerID == newest.replicationID)
  }
}
