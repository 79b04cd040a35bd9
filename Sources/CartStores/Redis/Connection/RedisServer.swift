import CartDomain

/// The Redis at the other end of a connection, as it was when the connection was made.
struct RedisServer {
  /// `master_replid`, and behind it the database and the prefix if they are not the default: other keys are another
  /// place. Another after every restart and promotion; the same for all if this user may not ask.
  let replicationID: String
  /// What the replication id was before the last promotion; `nil` for one that was never promoted.
  let formerID: String?
  /// `run_id`: another for each process; empty if this user may not ask.
  let runID: String
  let isPrimary: Bool
  /// What stands under ``RedisKeys/history``.
  let registration: RedisRegistration?
  let gate: RedisGate

  /// The number under which this history is registered, as Redis remembers it; `nil` if it is another's, or none.
  var registeredHistory: Int64? { registration?.replicationID == replicationID ? registration?.number : nil }

  /// What the handshake asks, in the order in which ``init(_:at:keyspace:)`` takes the answers.
  static func questions(_ keys: RedisKeys) -> [RedisCommand] {
    [
      RedisCommand("INFO", "server", "replication"), RedisCommand("GET", keys.history),
      RedisCommand("GET", keys.pressure),
    ]
  }

  /// - Parameter keyspace: stands behind the replication id.
  init(_ replies: borrowing RedisReplies, at index: Int, keyspace: String) throws(StoreError) {
    let role = try RedisRole(replies, at: index, keyspace: keyspace)
    replicationID = role?.replicationID ?? "unknown" + keyspace
    formerID = role?.formerID
    isPrimary = role?.isPrimary ?? true
    runID = role?.runID ?? ""
    registration = try replies.read(index + 1) { value throws(StoreError) in
      RedisRegistration(try value.string() ?? "")
    }
    gate = try replies.read(index + 2) { value throws(StoreError) in RedisGate(try value.string()) }
  }
}

/// What `INFO` says of a server's place among others.
struct RedisRole {
  let isPrimary: Bool
  let replicationID: String
  let formerID: String?
  let runID: String

  static let question = RedisCommand("INFO", "replication")

  /// `nil` if this user may not ask.
  init?(_ replies: borrowing RedisReplies, at index: Int, keyspace: String) throws(StoreError) {
    guard let info = try RedisInfo(replies, at: index) else { return nil }
    isPrimary = info["role"].map { $0 == "master" } ?? true
    replicationID = (info["master_replid"] ?? "unknown") + keyspace
    let former = info["master_replid2"].flatMap { id in id.allSatisfy { $0 == "0" } ? nil : id }
    formerID = former.map { $0 + keyspace }
    runID = info["run_id"] ?? ""
  }
}

/// What Redis remembers of its registration: `replication id|number|shop`, the shop missing if an older cartd wrote it.
struct RedisRegistration: Equatable, Sendable {
  var replicationID: String
  var number: Int64
  /// The name of the database that has registered it.
  var shop: String?

  init(replicationID: String, number: Int64, shop: String?) {
    (self.replicationID, self.number, self.shop) = (replicationID, number, shop)
  }

  /// `nil` for anything else.
  init?(_ text: String) {
    let parts = text.split(separator: "|")
    guard parts.count >= 2, let number = Int64(parts[1]) else { return nil }
    let shop = parts.count > 2 && parts[2] != "back" ? String(parts[2]) : nil
    self.init(replicationID: String(parts[0]), number: number, shop: shop)
  }

  var text: String { "\(replicationID)|\(number)" + (shop.map { "|\($0)" } ?? "") }
}

/// What stands under ``RedisKeys/pressure``: every script that changes a cart reads it first.
enum RedisGate: Equatable, Sendable {
  case open
  /// Memory is short: what would need more of it is refused.
  case pressed
  /// PostgreSQL has registered a newer history, of this number: every change is refused.
  case superseded(by: Int64)
  /// The last syncer has ended in order: who wants a change opens it first.
  case closed(String)

  init(_ text: String?) {
    let parts = (text ?? "").split(separator: ":", maxSplits: 1)
    switch (parts.first, parts.last) {
    case ("superseded", let number?): self = .superseded(by: Int64(number) ?? 0)
    case ("closed", let word?): self = .closed(String(word))
    case (nil, _): self = .open
    default: self = .pressed
    }
  }

  var text: String {
    switch self {
    case .open: ""
    case .pressed: "1"
    case .superseded(let number): "superseded:\(number)"
    case .closed(let word): "closed:\(word)"
    }
  }
}
