import CartDomain

/// The hashes of carts and what is done to them as a whole: the ends of the road between Redis and PostgreSQL.
/// Shoppers' changes are ``RedisCartStore``'s.
package final class RedisCarts {
  let connection: RedisConnection
  let histories: RedisHistories

  package init(_ connection: RedisConnection, histories: RedisHistories) {
    self.connection = connection
    self.histories = histories
  }

  private var keys: RedisKeys { connection.keys }

  /// A cart as it is in Redis.
  enum Present {
    case absent
    /// It is of the history at hand.
    case current(CartHash, usedAt: Timestamp)
    /// It is of another one.
    case stale(CartHash, usedAt: Timestamp)
    /// It can't be read.
    case corrupt
  }

  /// Reads carts in one round trip.
  func read(_ owners: [CartOwner], in history: RedisHistory) throws(StoreError) -> [Present] {
    var commands: [RedisCommand] = []
    for owner in owners { commands += question(for: owner) }
    let replies = try connection.exchange(commands, .idempotent, in: history.replicationID)
    var found: [Present] = []
    for (index, owner) in owners.enumerated() { found.append(try present(owner, replies, 2 * index, in: history)) }
    return found
  }

  /// How many fields each cart has, about as many as lines: one round trip.
  func sizes(of owners: [CartOwner]) throws(StoreError) -> [Int] {
    let replies = try connection.exchange(owners.map { RedisCommand("HLEN", keys.cart(of: $0)) }, .idempotent)
    // What is no hash has no size.
    return try owners.indices.map { index throws(StoreError) in
      replies.isError(index, code: "WRONGTYPE") ? 1 : Int(try replies.read(index) { value in value.integer ?? 1 })
    }
  }

  /// Those of `owners` that the database of the tag has not as they are here, or of which that is not certain.
  func unpersisted(_ owners: [CartOwner], tag: String, in history: RedisHistory) throws(StoreError) -> [CartOwner] {
    if owners.isEmpty { return [] }
    let commands = owners.map { RedisCommand("HMGET", keys.cart(of: $0), "#l", "#v", "#p", "#d") }
    let replies = try connection.exchange(commands, .idempotent, in: history.replicationID)
    var found: [CartOwner] = []
    for (index, owner) in owners.enumerated() {
      if replies.isError(index, code: "WRONGTYPE") {
        found.append(owner)
        continue
      }
      let fields = try replies.read(index) { list throws(StoreError) in
        var fields: [String?] = []
        for index in 0..<4 {
          fields.append(try list.element(index) { value throws(StoreError) in try value.string() })
        }
        return fields
      }
      let isPersisted = fields[0] == String(history.number) && fields[1] == fields[2] && fields[3] == tag
      if !isPersisted { found.append(owner) }
    }
    return found
  }

  private func question(for owner: CartOwner) -> [RedisCommand] {
    let key = keys.cart(of: owner)
    return [RedisCommand("HGETALL", key), RedisCommand("ZSCORE", keys.active, key)]
  }

  private func present(
    _ owner: CartOwner, _ replies: borrowing RedisReplies, _ index: Int, in history: RedisHistory
  ) throws(StoreError) -> Present {
    let hash: CartHash?
    do throws(StoreError) {
      hash = try replies.read(index) { fields throws(StoreError) in try CartHash(owner: owner, fields: fields) }
    } catch {
      if error.code == .corrupt { return .corrupt }
      throw error
    }
    guard let hash else { return .absent }
    let score = try replies.read(index + 1) { value throws(StoreError) in try value.string() }
    let usedAt = score.flatMap { Int64($0) }.map { Timestamp(milliseconds: $0) } ?? connection.now
    return hash.history == history.number ? .current(hash, usedAt: usedAt) : .stale(hash, usedAt: usedAt)
  }

  private static let absentWord = "none"
  private static let spentWord = "spent"

  /// Whether somebody has found lately that neither store has such a cart.
  func isKnownAbsent(_ owner: CartOwner, in history: RedisHistory) throws(StoreError) -> Bool {
    let replies = try connection.exchange(
      RedisCommand("GET", keys.restoreLease(of: owner)), .idempotent, in: history.replicationID)
    let word = try replies.read(0) { value throws(StoreError) in try value.string() }
    return word == "\(Self.absentWord) \(history.number)" || word == "\(Self.spentWord) \(history.number)"
  }

  /// Those of `owners` that Redis has not, or of another history.
  func missing(_ owners: [CartOwner], in history: RedisHistory) throws(StoreError) -> [CartOwner] {
    let commands = owners.map { RedisCommand("HGET", keys.cart(of: $0), "#l") }
    let replies = try connection.exchange(commands, .idempotent, in: history.replicationID)
    var missing: [CartOwner] = []
    for (index, owner) in owners.enumerated() {
      let lineage = try replies.read(index) { value throws(StoreError) in try value.string() }
      if lineage != String(history.number) { missing.append(owner) }
    }
    return missing
  }

  // MARK: Bringing back

  /// Holds the places of carts for whoever shows `token`, and reads what is there; `nil` where somebody else holds one.
  func leaseRestore(_ owners: [CartOwner], token: String, in history: RedisHistory) throws(StoreError) -> [Present?] {
    let calls = owners.map { owner in
      RedisScriptCall(
        .leaseRestore, keys: [keys.restoreLease(of: owner)],
        arguments: RedisCommand(token, String(Self.leaseMilliseconds), String(Self.undisturbedMilliseconds)))
    }
    let replies = try connection.evaluate(calls, .idempotent, in: history.replicationID)
    var found: [Present?] = try read(owners, in: history)
    for index in calls.indices {
      let isHeld = try replies.read(index) { value in value.integer } == 1
      if !isHeld { found[index] = nil }
    }
    return found
  }

  /// Longer than a request waits for PostgreSQL.
  private static let leaseMilliseconds = 10_000
  /// As long as PostgreSQL may take for one statement; who has held a place for longer has died, or is about to give up.
  static let undisturbedMilliseconds = 2_500

  /// Lets go of the places that `token` holds.
  func release(_ owners: [CartOwner], token: String, in history: RedisHistory) throws(StoreError) {
    if owners.isEmpty { return }
    let calls = owners.map {
      RedisScriptCall(.endLease, keys: [keys.restoreLease(of: $0)], arguments: RedisCommand(token))
    }
    _ = try connection.evaluate(calls, .idempotent, in: history.replicationID)
  }

  /// What goes into the place of a cart.
  struct Installation {
    var hash: CartHash
    /// `nil` for what is no cart any more: it stands on no list of carts in use.
    var usedAt: Timestamp?
    /// What was in the place when it was compared; nothing, where that is `nil`.
    var compared: CartHash?
    /// Nothing but the word that there is no cart, which is forgotten by itself.
    var isAbsence = false

    /// For so many seconds Redis remembers that there is no cart.
    static let absenceSeconds = 600
  }

  enum Installed: String {
    case installed = "INSTALLED"
    /// Somebody else has brought it back.
    case present = "PRESENT"
    /// Somebody else has begun to.
    case lost = "LOST"
  }

  /// Puts carts into the places that `token` holds.
  func install(
    _ installations: [Installation], token: String, in history: RedisHistory
  ) throws(StoreError) -> [Installed] {
    var calls: [RedisScriptCall] = []
    for installation in installations {
      guard let owner = installation.hash.cart.owner else { continue }
      var arguments = RedisCommand(token, String(history.number))
      arguments.append(installation.compared?.history ?? 0)
      arguments.append(installation.compared?.epoch ?? 0)
      arguments.append(installation.compared?.cart.version ?? 0)
      if installation.isAbsence {
        arguments.append(Installation.absenceSeconds)
        arguments.append(owner.isGuest ? Self.spentWord : Self.absentWord)
      } else {
        arguments.append(installation.hash.cart.expiresAt.map { String($0.seconds) } ?? "")
        arguments.append(installation.usedAt.map { String($0.milliseconds) } ?? "")
        arguments.append(contentsOf: installation.hash.fields)
      }
      let isNew = installation.compared == nil && !installation.isAbsence
      calls.append(
        RedisScriptCall(
          isNew ? .install : .reinstall,
          keys: [keys.cart(of: owner), keys.restoreLease(of: owner), keys.dirty, keys.active],
          arguments: arguments))
    }
    let replies = try connection.evaluate(calls, .idempotent, in: history.replicationID)
    var results: [Installed] = []
    for index in calls.indices {
      let text = try replies.read(index) { value throws(StoreError) in try value.string() }
      guard let result = text.flatMap(Installed.init) else { throw .unexpectedReply }
      results.append(result)
    }
    return results
  }

  // MARK: Marks

  /// Marks carts that PostgreSQL has in the state of `hashes`, in the database of the tag.
  func markPersisted(_ hashes: [CartHash], tag: String, in history: RedisHistory) throws(StoreError) {
    try run(hashes, .persisted, in: history) { hash in
      let fields = MarkedFields(hash)
      var arguments = RedisCommand(String(history.number), fields.epoch, fields.version, fields.end)
      arguments.append(fields.ring)
      arguments.append(fields.command)
      arguments.append(fields.state)
      arguments.append(tag)
      return ([keys.dirty, keys.database], arguments)
    }
  }

  /// Takes carts off the list of those to be persisted that are not there any more.
  func forget(_ owners: [CartOwner], in history: RedisHistory) throws(StoreError) {
    try markPersisted(owners.map { CartHash(cart: Cart(owner: $0)) }, tag: "", in: history)
  }

  /// Gives carts that go on a higher epoch.
  ///
  /// - Returns: for each, whether it is still the one that was read.
  @discardableResult
  func raise(_ hashes: [(hash: CartHash, epoch: Int64)], in history: RedisHistory) throws(StoreError) -> [Bool] {
    let epochs = hashes.map(\.epoch)
    var index = 0
    return try run(hashes.map(\.hash), .raise, in: history) { hash in
      defer { index += 1 }
      return (
        [keys.dirty], RedisCommand(String(history.number), MarkedFields(hash).epoch, String(epochs[index]))
      )
    }
  }

  /// Has carts compared with PostgreSQL before their next use, if they are still as `hashes` say.
  func invalidate(_ hashes: [CartHash], in history: RedisHistory) throws(StoreError) {
    try run(hashes, .invalidate, in: history) { hash in
      let fields = MarkedFields(hash)
      return ([], RedisCommand(String(history.number), fields.epoch, fields.version))
    }
  }

  /// Lets go of carts that were last used before `moment`, if the database of the tag has all of each.
  ///
  /// - Returns: for each, whether it is gone.
  func evict(
    _ owners: [CartOwner], tag: String, usedBefore moment: Timestamp, in history: RedisHistory
  ) throws(StoreError) -> [Bool] {
    var calls: [RedisScriptCall] = []
    for owner in owners {
      calls.append(
        RedisScriptCall(
          .evict, keys: [keys.cart(of: owner), keys.dirty, keys.active],
          arguments: RedisCommand(String(history.number), tag, String(moment.milliseconds))))
    }
    let replies = try connection.evaluate(calls, .idempotent, in: history.replicationID)
    var gone: [Bool] = []
    for index in calls.indices { gone.append(try replies.read(index) { value in value.integer } == 1) }
    return gone
  }

  /// - Returns: for each, whether the script has done what it does.
  @discardableResult
  private func run(
    _ hashes: [CartHash], _ script: RedisScript, in history: RedisHistory,
    _ arguments: (CartHash) -> (keys: [String], arguments: RedisCommand)
  ) throws(StoreError) -> [Bool] {
    var calls: [RedisScriptCall] = []
    for hash in hashes {
      guard let owner = hash.cart.owner else { continue }
      let (more, arguments) = arguments(hash)
      calls.append(RedisScriptCall(script, keys: [keys.cart(of: owner)] + more, arguments: arguments))
    }
    if calls.isEmpty { return [] }
    let replies = try connection.evaluate(calls, .idempotent, in: history.replicationID)
    var done: [Bool] = []
    for index in calls.indices { done.append(try replies.read(index) { value in value.integer == 1 }) }
    return done
  }
}

@available(*, unavailable)
extension RedisCarts: Sendable {}

/// Fields by which a script sees whether a cart is still the one that was read: empty where a cart lacks them.
private struct MarkedFields {
  let epoch: String
  let version: String
  let end: String
  let ring: [UInt8]
  let command: String
  let state: String

  init(_ hash: CartHash) {
    func text(_ number: Int64) -> String { number == 0 ? "" : String(number) }
    epoch = text(hash.epoch)
    version = text(hash.cart.version)
    end = text(hash.cart.expiresAt?.seconds ?? 0)
    ring = RetryKey.bytes(of: hash.ring.prefix(CartHash.entriesInPart))
    command = text(hash.inboxNumber)
    state = text(hash.state.rawValue)
  }
}

// MARK: - Commands

extension RedisCarts {
  /// Has a cart follow a command, if the lines that it touches are still as `hash` says.
  ///
  /// - Parameter calls: run before it in the same round trip, whatever becomes of them.
  /// - Returns: the cart's version after it; `nil` where it has followed it before, or is not as `hash` says.
  func apply(
    _ command: InboxCommand, to hash: CartHash, in history: RedisHistory, after calls: [RedisScriptCall] = []
  ) throws(StoreError) -> Int64? {
    var header = ScriptHeader(owner: command.owner)
    header.requestID = command.requestID
    var arguments = header.arguments(history: history, deadline: connection.deadline)
    arguments.append(command.number)
    arguments.append(command.previous)
    arguments.append(command.command.action)
    append(command.command, on: hash.cart, to: &arguments)
    let call = RedisScriptCall(.apply, keys: keys.forChange(of: command.owner), arguments: arguments)
    let replies = try connection.evaluate(calls + [call], .idempotent, in: history.replicationID)
    let answer = try replies.read(calls.count) { value throws(StoreError) in try ScriptAnswer(value) }
    switch answer.status {
    case .changed, .unchanged: return answer.version
    default:
      // Whoever opens Redis comes again, as after another change.
      _ = try histories.handle(answer.status)
      return nil
    }
  }

  /// Freezes a guest's cart that is still as `hash` says, so that it can be merged.
  ///
  /// - Parameter target: see ``CartMerger``.
  func freeze(_ hash: CartHash, into target: String, in history: RedisHistory) throws(StoreError) -> Bool {
    guard let owner = hash.cart.owner else { return false }
    let fields = MarkedFields(hash)
    let replies = try connection.evaluate(
      .freeze, keys: [keys.cart(of: owner), keys.dirty],
      arguments: RedisCommand(String(history.number), fields.epoch, fields.version, target), .idempotent,
      in: history.replicationID)
    return try replies.read(0) { value in value.integer == 1 }
  }

  /// Leaves of a frozen cart only that it is spent.
  func leaveTombstone(_ owner: CartOwner, in history: RedisHistory) throws(StoreError) {
    let replies = try connection.evaluate(
      .leaveTombstone, keys: [keys.cart(of: owner), keys.dirty, keys.active],
      arguments: RedisCommand(String(history.number), String(Installation.absenceSeconds)), .idempotent,
      in: history.replicationID)
    try replies.check(0)
  }

  private func append(_ command: CartCommand, on cart: Cart, to arguments: inout RedisCommand) {
    let after = cart.applying(command, uniting: JSONUnion.unite)
    arguments.append(cart.currency?.code ?? "")
    arguments.append(after.currency?.code ?? "")
    arguments.append(after.clock)
    if case .merge(let merge) = command {
      arguments.append(RetryKey.bytes(of: merge.ring))
    } else {
      arguments.append("")
    }
    var outcomes: [SKU: LineOutcome] = [:]
    for outcome in cart.outcomes(of: command, uniting: JSONUnion.unite) { outcomes[outcome.sku] = outcome }
    // Also those that it leaves as they are: it may have been made when the cart that was read here had changed already.
    for sku in command.skus {
      let before = cart[sku]
      arguments.append(sku.text)
      arguments.append(before?.packed ?? "")
      arguments.append(before?.clientData ?? [])
      guard let outcome = outcomes[sku] else {
        for word in ["=", "", ""] { arguments.append(word) }
        continue
      }
      arguments.append(outcome.after?.packedHead ?? "")
      arguments.append(outcome.after?.packedTail ?? "")
      arguments.append(outcome.after?.clientData ?? [])
    }
  }
}
