package import CartDomain

/// The Redis at the other end of a connection.
struct RedisServer {
  /// `master_replid`: another after every restart and promotion. The same for all histories where this user may not ask.
  let replicationID: String
  let isPrimary: Bool
  /// The number of the server's history; `nil` where it is not registered.
  let registeredLineage: Int64?
  /// The history was registered as one that began with an older state than the one before had come to.
  let hasGoneBack: Bool
  /// Where PostgreSQL was when a syncer last wrote to it, as this Redis remembers it.
  let database: DatabaseLineage?

  /// Reads the answers to `INFO replication` and to the questions for the lineages of Redis and of PostgreSQL.
  init(_ replies: borrowing RedisReplies, at index: Int) throws(StoreError) {
    var replicationID = "unknown"
    var isPrimary = true
    if !replies.isError(index, code: "NOPERM") {
      let text = try replies.read(index) { value throws(StoreError) in try value.string() ?? "" }
      for line in text.split(whereSeparator: \.isNewline) {
        if line.hasPrefix("master_replid:") { replicationID = String(line.dropFirst("master_replid:".count)) }
        if line.hasPrefix("role:") { isPrimary = line == "role:master" }
      }
    }
    self.replicationID = replicationID
    self.isPrimary = isPrimary
    let registered = try replies.read(index + 1) { value throws(StoreError) in try value.string() ?? "" }
    let parts = registered.split(separator: "|")
    registeredLineage = parts.count >= 2 && parts[0] == replicationID ? Int64(parts[1]) : nil
    hasGoneBack = parts.count == 3
    database = try replies.read(index + 2) { value throws(StoreError) in DatabaseLineage(try value.string() ?? "") }
  }

  /// What is to stand under ``RedisKeys/lineage``.
  static func registration(_ history: RedisHistory, hasGoneBack: Bool) -> String {
    "\(history.replicationID)|\(history.lineage)" + (hasGoneBack ? "|back" : "")
  }
}

/// One history of Redis: it ends with a restart, a promotion, or a return to an older state. A cart of another one is
/// compared with PostgreSQL before it is served.
package struct RedisHistory: Equatable, Sendable {
  /// As ``RedisServer/replicationID``; empty where nobody registers histories.
  package var replicationID: String
  /// The number under which PostgreSQL has registered it; it grows from history to history.
  package var lineage: Int64

  package init(replicationID: String, lineage: Int64) {
    self.replicationID = replicationID
    self.lineage = lineage
  }

  /// Nobody has registered a history.
  package static let unregistered = RedisHistory(replicationID: "", lineage: 0)

  /// What a connection must lead to for this history to go on; `nil` where it does not matter.
  var required: String? { self == .unregistered ? nil : replicationID }
}

/// Finds the number of the history that Redis is in. PostgreSQL is asked only where Redis does not know its own.
package final class RedisHistories {
  private let connection: RedisConnection
  private let archive: PostgresCarts?
  private var known: RedisHistory?
  /// Redis was put back to an older state before this history: what it says may be older than what was answered.
  private(set) var hasGoneBack = false

  /// - Parameter archive: registers histories; without one, there are none to tell apart.
  package init(_ connection: RedisConnection, archive: PostgresCarts?) {
    self.connection = connection
    self.archive = archive
  }

  /// The history of the present connection, which is made where there is none.
  ///
  /// - Throws: ``StoreError`` where Redis is away or a replica, where PostgreSQL would have to be asked and is away, and
  ///   where another history is in use.
  package func current() throws(StoreError) -> RedisHistory {
    guard let archive else { return .unregistered }
    if let known, known.replicationID == connection.server?.replicationID {
      if known != archive.refused { return known }
      // A Redis begins another history under its clients when its first replica comes.
      connection.close()
    }
    try connection.connect()
    guard let server = connection.server else { throw .unexpectedReply }
    guard server.isPrimary else {
      connection.close()
      throw StoreError(.unavailable, "Redis: is a replica")
    }
    let id = server.replicationID
    var number = server.registeredLineage
    // A database that was put back may have forgotten the number, and given another one since.
    if let refused = archive.refused, refused == RedisHistory(replicationID: id, lineage: number ?? 0) { number = nil }
    hasGoneBack = server.hasGoneBack
    if number == nil {
      let registered = try register(id)
      hasGoneBack = try isBehind(server.database)
      let text = RedisServer.registration(
        RedisHistory(replicationID: id, lineage: registered), hasGoneBack: hasGoneBack)
      let key = connection.keys.lineage
      try connection.carryOutAnyway(RedisCommand("SET", key, text), on: key, in: id).check(0)
      number = registered
    }
    let history = RedisHistory(replicationID: id, lineage: number ?? 0)
    if history == archive.refused { archive.refused = nil }
    known = history
    return history
  }

  private func register(_ id: String) throws(StoreError) -> Int64 {
    do throws(StoreError) {
      return try archive?.register(id, as: nil) ?? 0
    } catch {
      // What Redis said of itself when the connection was made may not hold any more.
      connection.close()
      throw error
    }
  }

  /// More than lies between two batches of a syncer, in milliseconds: numbers of the database follow the clock.
  private static let longestPause: Int64 = 60_000

  /// Whether the database has gone on for longer than this Redis remembers.
  private func isBehind(_ remembered: DatabaseLineage?) throws(StoreError) -> Bool {
    guard let remembered, let present = try archive?.lineage() else { return false }
    return present.tag == remembered.tag && present.number - remembered.number > Self.longestPause
  }

  /// Runs `body` in the current history; once more where Redis has begun another meanwhile, or PostgreSQL knows it
  /// under another number.
  func within<Answer: ~Copyable>(
    _ body: (RedisHistory) throws(StoreError) -> Answer
  ) throws(StoreError) -> Answer {
    let history = try current()
    do throws(StoreError) {
      return try body(history)
    } catch {
      guard !error.isOutcomeUnknown, let archive,
        history.replicationID != connection.server?.replicationID || history == archive.refused
      else { throw error }
    }
    return try body(current())
  }
}

@available(*, unavailable)
extension RedisHistories: Sendable {}
