package import CartDomain

/// Finds the number of the history that Redis is in, and whether this Redis may speak for the shop at all.
///
/// PostgreSQL is asked once for each connection, and whenever it has refused the history; while it is away, the word
/// counts that stands in Redis.
package final class RedisHistories {
  package enum Mode: Sendable {
    /// A part of cartd: registers a Redis that may speak for the shop, and tells one that may not any more.
    case serving
    /// A command: works on the Redis that PostgreSQL knows as the newest, and writes into no other.
    case looking
  }

  let connection: RedisConnection
  let archive: PostgresCarts
  let mode: Mode
  private var known: RedisHistory?
  /// The server of ``known``, as it was then.
  private var knownServer: RedisServer?
  /// Why this Redis was refused, and until when nobody asks again.
  private var refusal: (id: String, error: StoreError, until: Int64)?
  private var checkedAt: Int64 = 0

  /// - Parameter archive: registers histories.
  package init(_ connection: RedisConnection, archive: PostgresCarts, _ mode: Mode) {
    self.connection = connection
    self.archive = archive
    self.mode = mode
  }

  /// Milliseconds for which an answer of PostgreSQL's holds.
  private static let freshness: Int64 = 1_000

  /// The history of the present connection, which is made if there is none.
  ///
  /// - Throws: ``StoreError`` if Redis is away or a replica, if PostgreSQL would have to be asked and is away, and if
  ///   another Redis speaks for the shop.
  package func current() throws(StoreError) -> RedisHistory {
    if let known, known.replicationID == connection.server?.replicationID {
      if known != archive.refused { return known }
      // It may be another by now.
      connection.close()
    }
    try connection.connect()
    guard let server = connection.server else { throw .unexpectedReply }
    guard server.isPrimary else {
      connection.leave()
      throw Self.isReplica
    }
    if let refusal, refusal.id == server.replicationID, RedisClock.monotonic < refusal.until { throw refusal.error }
    let history = try resolve(server)
    if history == archive.refused { archive.refused = nil }
    refusal = nil
    connection.foreignID = nil
    (known, knownServer) = (history, server)
    // Carts can be read all the same; a change tries again.
    if case .closed = server.gate, case .serving = mode { try? open() }
    return history
  }

  static let isReplica = StoreError(.unavailable, "Redis: is a replica")

  /// Looks at least once a second whether PostgreSQL still knows this history as the newest, and tells Redis if it
  /// does not; also whether Redis still knows its number. A syncer calls it in each turn.
  ///
  /// - Throws: as ``current()``. PostgreSQL's being away is no reason.
  package func check() throws(StoreError) {
    _ = try current()
    guard RedisClock.monotonic - checkedAt >= Self.freshness else { return }
    checkedAt = RedisClock.monotonic
    let history = try remembered()
    let newest: Int64?
    do throws(StoreError) {
      newest = try archive.newestHistory()
    } catch {
      if error.code == .unavailable { return }
      throw error
    }
    if newest == history.number { return }
    archive.refused = history
    _ = try current()
  }

  /// The current history, after Redis was told its number again if it has forgotten it: it may have been emptied.
  private func remembered() throws(StoreError) -> RedisHistory {
    let question = RedisCommand("GET", connection.keys.history)
    let (history, registration) = try within { history throws(StoreError) in
      // Learns of another role by the way.
      let replies = try connection.exchange(question, .idempotent, in: history.replicationID)
      return (history, try replies.read(0) { value throws(StoreError) in RedisRegistration(try value.string() ?? "") })
    }
    if registration?.replicationID == history.replicationID, registration?.number == history.number { return history }
    // A new connection is told all that is missing.
    connection.leave()
    return try current()
  }

  /// Runs `body` in the current history; once more if Redis has begun another meanwhile, or PostgreSQL knows it under
  /// another number.
  func within<Answer: ~Copyable>(
    _ body: (RedisHistory) throws(StoreError) -> Answer
  ) throws(StoreError) -> Answer {
    let history = try current()
    do throws(StoreError) {
      return try body(history)
    } catch {
      guard !error.isOutcomeUnknown,
        history.replicationID != connection.server?.replicationID || history == archive.refused
      else { throw error }
    }
    return try body(current())
  }

  /// Acts on what a script has answered instead of doing anything.
  ///
  /// - Returns: whether it is to be run again.
  /// - Throws: ``StoreError`` if this Redis does not speak for the shop any more.
  func handle(_ status: ScriptAnswer.Status) throws(StoreError) -> Bool {
    switch status {
    case .closed:
      try open()
      return true
    case .superseded:
      // Asked anew with the next use: it may have been taken back.
      archive.refused = known
      throw Self.isSuperseded
    default: return false
    }
  }

  static let isSuperseded = StoreError(.unavailable, "Redis: another one speaks for the shop since")
}

@available(*, unavailable)
extension RedisHistories: Sendable {}

// MARK: - Asking PostgreSQL

extension RedisHistories {
  private func resolve(_ server: RedisServer) throws(StoreError) -> RedisHistory {
    var candidate = RedisCandidate(server, location: connection.location, hasCarts: false)
    var records: RedisRecords
    do throws(StoreError) {
      records = try archive.records(of: server.replicationID)
    } catch {
      // PostgreSQL is away, or a lock is in the way: Redis says itself whose it is. One that PostgreSQL has refused does
      // not.
      let number = server.registeredHistory ?? (isContinued(by: server) ? known?.number : nil)
      guard error.code != .corrupt, let number else { throw error }
      let history = RedisHistory(replicationID: server.replicationID, number: number)
      if case .superseded = server.gate { throw Self.isSuperseded }
      if history == archive.refused { throw error }
      return history
    }
    var admission = RedisAdmission(candidate, records)
    // Only a Redis that is not known is asked that.
    if records.own != records.newest?.number || records.own == nil {
      candidate.hasCarts = try hasCarts(candidate.replicationID)
      admission = RedisAdmission(candidate, records)
    }
    switch (admission, mode) {
    case (.known(let number), .looking): return RedisHistory(replicationID: server.replicationID, number: number)
    case (.superseded, _), (.refused, _), (_, .looking):
      throw try refuse(candidate, records, admission)
    case (.known, .serving):
      try archive.describe(candidate, in: records)
      // A mark whose word Redis has lost would vouch for an older state of it.
      if let word = records.newest?.closed, !word.isEmpty, candidate.gate != .closed(word) {
        _ = try archive.open(word)
      }
    case (.resumed, .serving), (.reinstated, .serving), (.begun, .serving):
      (admission, records) = try archive.admit(candidate)
    }
    guard let number = records.own else { throw try refuse(candidate, records, admission) }
    try registerHistory(candidate, number, records.shop, isAnother: admission == .begun)
    return RedisHistory(replicationID: server.replicationID, number: number)
  }

  /// The process goes on, and only its replication id is another.
  private func isContinued(by server: RedisServer) -> Bool {
    guard let knownServer, !server.runID.isEmpty, server.runID == knownServer.runID else { return false }
    return server.formerID == nil || server.formerID == knownServer.replicationID
  }

  private func hasCarts(_ id: String) throws(StoreError) -> Bool {
    let replies = try connection.exchange(RedisCommand("ZCARD", connection.keys.active), .idempotent, in: id)
    return try replies.read(0) { value in value.integer ?? 0 > 0 }
  }

  /// Writes into Redis under which number its history is registered.
  ///
  /// - Parameter isAnother: a new history has begun, so that what was closed is not any more.
  private func registerHistory(
    _ candidate: RedisCandidate, _ number: Int64, _ shop: String, isAnother: Bool
  ) throws(StoreError) {
    let registration = RedisRegistration(replicationID: candidate.replicationID, number: number, shop: shop)
    var isOutdated = registration != candidate.registration || isAnother
    if case .superseded = candidate.gate { isOutdated = true }
    if !isOutdated { return }
    let keys = connection.keys
    try connection.evaluate(
      .registerHistory, keys: [keys.history, keys.pressure],
      arguments: RedisCommand(registration.text, String(number), isAnother ? "1" : ""), .idempotent,
      in: candidate.replicationID
    ).check(0)
  }

  /// Remembers for a moment that this Redis may not be used, and tells it if it once was the shop's.
  private func refuse(
    _ candidate: RedisCandidate, _ records: RedisRecords, _ admission: RedisAdmission
  ) throws(StoreError) -> StoreError {
    let error = StoreError(.unavailable, RedisRefusal(candidate, records, admission).text)
    if [.superseded, .refused].contains(admission) { connection.foreignID = candidate.replicationID }
    refusal = (candidate.replicationID, error, RedisClock.monotonic + Self.freshness)
    known = nil
    // Only a Redis that PostgreSQL knows: one that it does not may be another shop's.
    if admission == .superseded, records.own != nil, case .serving = mode, let newest = records.newest {
      let keys = connection.keys
      // One that can't be told any more refuses changes by itself, or is asked again.
      _ = try? connection.evaluate(
        .supersede, keys: [keys.history, keys.pressure],
        arguments: RedisCommand(RedisGate.superseded(by: newest.number).text, String(newest.number)), .idempotent,
        in: candidate.replicationID)
    }
    return error
  }
}

// MARK: - Closing and opening

extension RedisHistories {
  /// Marks in both stores that nothing is changed from here on: a Redis that is started again with this mark has lost
  /// nothing. Who wants to change a cart opens it first, which takes PostgreSQL.
  ///
  /// - Parameter draining: any Redis without carts may follow, until the first change.
  /// - Returns: false if Redis has something that PostgreSQL has not; then nothing is marked.
  /// - Throws: ``StoreError`` if a store is away. It may be done again.
  @discardableResult
  package func close(draining: Bool = false) throws(StoreError) -> Bool {
    // A word beside which no number stands would not count.
    let history = try remembered()
    let keys = connection.keys
    if case .closed(let word) = try gate(in: history) {
      if !draining { return true }
      if try archive.drain(word) { return true }
      try open()
    }
    let word = String(UInt64.random(in: .min ... .max), radix: 36)
    // PostgreSQL first: a word in Redis alone means nothing, and is taken away by the next change.
    guard try archive.close(history, with: word) else { return false }
    let replies = try connection.evaluate(
      .closeGate, keys: [keys.pressure, keys.stream, keys.dirty] + (draining ? [keys.quarantine, keys.aside] : []),
      arguments: RedisCommand(RedisGate.closed(word).text),
      .idempotent, in: history.replicationID)
    guard try replies.read(0, { value in value.integer == 1 }) else {
      _ = try archive.open(word)
      return false
    }
    return draining ? try archive.drain(word) : true
  }

  /// Takes the mark of ``close(draining:)`` away: in PostgreSQL first, so that it stands for nothing any more.
  ///
  /// - Throws: ``StoreError`` also if another Redis has come after this one was closed.
  package func open() throws(StoreError) {
    let history = if let known { known } else { try current() }
    guard case .closed(let word) = try gate(in: history) else { return }
    guard try archive.open(word) == history.number else {
      archive.refused = history
      throw Self.isSuperseded
    }
    try connection.evaluate(
      .endLease, keys: [connection.keys.pressure], arguments: RedisCommand(RedisGate.closed(word).text), .idempotent,
      in: history.replicationID
    ).check(0)
  }

  /// Whether a change would be accepted now. Nothing is written.
  ///
  /// - Parameter withPostgres: whether PostgreSQL answers: without it nobody opens what is closed.
  /// - Throws: ``StoreError`` if none would: Redis says that it may not write, or is closed.
  package func tryWriting(withPostgres: Bool) throws(StoreError) {
    let key = connection.keys.pressure
    let history = try current()
    // A script that may write is refused before it runs if Redis takes no writes.
    let replies = try connection.runAllowingOOM(RedisCommand("GET", key), on: key, in: history.replicationID)
    switch try replies.read(0, { value throws(StoreError) in RedisGate(try value.string()) }) {
    case .open, .pressed: return
    case .superseded: throw Self.isSuperseded
    case .closed: if !withPostgres { throw StoreError(.unavailable, "Redis: is closed, and PostgreSQL is away") }
    }
  }

  private func gate(in history: RedisHistory) throws(StoreError) -> RedisGate {
    let question = RedisCommand("GET", connection.keys.pressure)
    return try connection.exchange(question, .idempotent, in: history.replicationID).read(0) {
      value throws(StoreError) in
      RedisGate(try value.string())
    }
  }
}
