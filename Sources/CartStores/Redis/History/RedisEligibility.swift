package import CartDomain

/// A Redis and its place in the shop, for an operator. Looking at it changes nothing.
package struct RedisEligibility: Sendable {
  package enum State: String, Sendable {
    /// It speaks for the shop.
    case newest
    /// It will with the next use by a running cartd: it was restarted, promoted, emptied in its place, or comes after
    /// `cartctl drain`; or the shop has had none before.
    case next
    /// It did once, and another one does now.
    case superseded
    /// It does not.
    case foreign
    case replica
  }

  package var state: State
  /// What ``state`` means, and what to do about it.
  package var text: String
  /// Where this one was reached.
  package var location: String
  /// The number under which it remembers to be registered.
  package var number: Int64?
  /// It was registered by another shop's database.
  package var isOfAnotherShop = false
  /// Carts in use that it holds.
  package var carts = 0
  /// The one that speaks for the shop.
  package var records: RedisRecords
  let candidate: RedisCandidate
}

extension RedisHistories {
  /// - Throws: ``StoreError`` if a store is away.
  package func eligibility() throws(StoreError) -> RedisEligibility {
    connection.close()
    try connection.connect()
    guard let server = connection.server else { throw .unexpectedReply }
    let carts = try CartLists(connection).count(.active)
    let candidate = RedisCandidate(server, location: connection.location, hasCarts: carts > 0)
    let records = try archive.records(of: server.replicationID)
    let admission = RedisAdmission(candidate, records)
    var state: RedisEligibility.State
    switch admission {
    case .known: state = .newest
    case .resumed, .reinstated, .begun: state = .next
    case .superseded: state = .superseded
    case .refused: state = .foreign
    }
    var text = RedisRefusal(candidate, records, admission).text
    if state == .newest { text = "speaks for the shop: \(connection.location)" }
    if !server.isPrimary { (state, text) = (.replica, "Redis: \(connection.location) is a replica") }
    return RedisEligibility(
      state: state, text: text, location: connection.location, number: server.registration?.number,
      isOfAnotherShop: server.registration?.shop.map { $0 != records.shop } ?? false, carts: carts, records: records,
      candidate: candidate)
  }

  /// Lets this Redis speak for the shop: the next cartd that uses it registers it.
  ///
  /// - Returns: false if another one has begun to since `standing` was taken.
  package func adopt(_ eligibility: RedisEligibility) throws(StoreError) -> Bool {
    guard let newest = eligibility.records.newest else { return false }
    return try archive.permit(eligibility.candidate.name, after: newest.number)
  }
}
