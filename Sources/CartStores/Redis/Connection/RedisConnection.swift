import CHiredis
package import CartDomain
import Glibc

/// One connection to Redis, made when it is first needed and made anew after any error.
///
/// It belongs to one thread. The process ignores SIGPIPE once a connection was used.
@safe package final class RedisConnection {
  /// Whether a command may be sent again when its answer did not come.
  enum Effect {
    /// To do it twice is to do it once.
    case idempotent
    /// It may have been done: only the caller can tell what follows.
    case once
  }

  package let keys: RedisKeys
  /// Called when an exchange with Redis begins (true) and when it has ended.
  package var observeWait: ((_ begins: Bool) -> Void)?
  private let configuration: RedisConfiguration
  private var context: UnsafeMutablePointer<redisContext>?
  private var digests: [RedisScript: [UInt8]] = [:]
  private var clock = RedisClock()
  /// Nothing is tried before this moment of the monotonic clock.
  private var restsUntil: Int64 = 0
  /// The connection is made anew after this moment of the monotonic clock.
  private var endsAt: Int64 = 0
  /// When the server last said what it is.
  private var roleSeenAt: Int64 = 0
  /// The server at the other end, as it was when the connection was made; `nil` before the first one, and once it turned
  /// out to be another.
  private(set) var server: RedisServer?
  /// The history of a Redis that does not speak for the shop: nothing is written into it.
  var foreignID: String?
  private var memory = ReplyMemory()

  /// Connects when it is first used.
  package init(_ configuration: RedisConfiguration) {
    self.configuration = configuration
    self.keys = RedisKeys(prefix: configuration.prefix)
  }

  deinit { close() }

  /// Redis's time, as well as it is known.
  package var now: Timestamp { clock.time(at: RedisClock.monotonic) }

  /// Redis's time; connects where it has never been asked for it.
  func currentTime() throws(StoreError) -> Timestamp {
    if digests.isEmpty { try connect() }
    return now
  }

  /// The Redis that was last reached is not this shop's; see ``RedisHistories``.
  var isForeign: Bool { foreignID != nil && foreignID == server?.replicationID }

  /// Where it leads; see ``RedisConfiguration/location``.
  var location: String { configuration.location }

  /// How long an answer is waited for.
  var timeoutMilliseconds: Int64 { configuration.timeoutMilliseconds }

  /// By when a change that is sent now must have been carried out: later, nobody waits for it.
  var deadline: Timestamp { now.adding(milliseconds: timeoutMilliseconds) }

  /// Connects if that has not been done.
  ///
  /// - Throws: ``StoreError`` where Redis is away or refuses the user, the database or the scripts.
  package func connect() throws(StoreError) {
    if unsafe context != nil {
      if !isPeerGone, RedisClock.monotonic < endsAt { return }
      close()
    }
    if RedisClock.monotonic < restsUntil {
      throw StoreError(.unavailable, "Redis: left alone for a moment after a time-out")
    }
    _ = signal(SIGPIPE, SIG_IGN)
    let began = RedisClock.monotonic
    do throws(StoreError) {
      try open()
      try shakeHands()
    } catch {
      close()
      if RedisClock.monotonic - began >= timeoutMilliseconds { rest() }
      throw error
    }
  }

  private func rest() { restsUntil = RedisClock.monotonic + configuration.restAfterTimeout }

  /// Ends the connection; the next use makes a new one.
  package func close() {
    if let context = unsafe context { unsafe redisFree(context) }
    unsafe context = nil
  }

  /// Ends the connection to a server that is not the one it was: what is known of it counts no longer.
  func leave() {
    close()
    server = nil
  }

  /// Sends `commands` in one go and waits for all their answers.
  ///
  /// Error replies are left to the reader of the answers. Any other error and any time-out end the connection. It is
  /// tried once more on a new one where the old one had broken, and nothing was sent or ``Effect/reading``.
  ///
  /// - Parameters:
  ///   - history: the replication id of the history that the commands go by; on a connection to another, nothing is
  ///     sent.
  ///   - isTransaction: nothing is carried out before the last of the commands is there.
  func exchange(
    _ commands: [RedisCommand], _ effect: Effect, in history: String? = nil, isTransaction: Bool = false
  ) throws(StoreError) -> RedisReplies {
    var isSecondTry = false
    observeWait?(true)
    defer { observeWait?(false) }
    while true {
      try connect()
      if let history {
        if server?.isPrimary == false {
          leave()
          throw RedisHistories.isReplica
        }
        if history != server?.replicationID { throw Self.otherHistory }
      }
      let asksRole = history != nil && RedisClock.monotonic - roleSeenAt >= Self.roleInterval
      var replies = RedisReplies(in: freshMemory())
      let isWhole = isTransaction || commands.count == 1
      guard let failure = transmit((asksRole ? [RedisRole.question] : []) + commands, isWhole: isWhole, into: &replies)
      else {
        // What was done was done; what was read may be somebody else's.
        if asksRole, try !isSameServer(&replies), effect == .idempotent { throw Self.otherHistory }
        if replies.haveError(Self.departures) || isTransaction && replies.lastHasError(Self.departures) { leave() }
        return replies
      }
      close()
      if failure.isTimeout { rest() }
      let isHarmless = !failure.wasSent || effect == .idempotent
      guard isHarmless, !failure.isTimeout, !isSecondTry else {
        throw StoreError(.unavailable, "Redis: \(failure.reason)", isOutcomeUnknown: !isHarmless)
      }
      isSecondTry = true
    }
  }

  func exchange(
    _ command: RedisCommand, _ effect: Effect, in history: String? = nil
  ) throws(StoreError) -> RedisReplies {
    try exchange([command], effect, in: history)
  }

  /// Milliseconds between two questions for the server's role, if anybody asks for anything.
  private static let roleInterval: Int64 = 1_000
  /// Errors of a server that can't do its part: it was not carried out, and the next use looks for another one.
  private static let departures = ["READONLY", "MASTERDOWN", "LOADING", "NOREPLICAS", "CLUSTERDOWN"]

  /// Takes the answer to the question for the server's role; leaves a server that is a replica or in another history.
  private func isSameServer(_ replies: inout RedisReplies) throws(StoreError) -> Bool {
    roleSeenAt = RedisClock.monotonic
    let role = try RedisRole(replies, at: 0, keyspace: configuration.keyspace)
    replies.dropFirst()
    guard let role, !role.isPrimary || role.replicationID != server?.replicationID else { return true }
    leave()
    return false
  }

  private static let otherHistory = StoreError(.unavailable, "Redis: has begun another history")

  /// Runs a script by its digest, or by its source where Redis has forgotten it.
  func evaluate(
    _ script: RedisScript, keys: [String], arguments: RedisCommand, _ effect: Effect, in history: String? = nil
  ) throws(StoreError) -> RedisReplies {
    let call = RedisScriptCall(script, keys: keys, arguments: arguments)
    let replies = try exchange(try command(for: call), effect, in: history)
    guard replies.isError(0, code: "NOSCRIPT") else { return replies }
    return try exchange(call.command(source: script.source), effect, in: history)
  }

  /// Runs a script on a cart, and reads the cart behind it, as one step.
  ///
  /// - Parameter read: lends the answers of both.
  func evaluate<Result>(
    _ script: RedisScript, keys: [String], arguments: RedisCommand, in history: String? = nil,
    _ read: (_ answer: borrowing RedisValue, _ cart: borrowing RedisValue) throws(StoreError) -> Result
  ) throws(StoreError) -> Result {
    let call = RedisScriptCall(script, keys: keys, arguments: arguments)
    let cart = RedisCommand("HGETALL", keys[0])
    var evaluation = try command(for: call)
    while true {
      let replies = try exchange(
        [RedisCommand("MULTI"), evaluation, cart, RedisCommand("EXEC")], .once, in: history, isTransaction: true)
      // Out of memory, Redis takes in no transaction, whatever is in it: then another change may come between.
      if replies.isError(1, code: "OOM") || replies.isError(2, code: "OOM"), script.isAllowedWithoutMemory {
        let replies = try exchange([call.command(source: script.source), cart], .once, in: history)
        return try replies.read(0) { answer throws(StoreError) in
          try replies.read(1) { cart throws(StoreError) in try read(answer, cart) }
        }
      }
      // A transaction that could not be ended would take in whatever this connection sends next.
      if replies.isError(3, code: ""), !replies.isError(3, code: "EXECABORT") { close() }
      for index in 0..<3 { try replies.check(index) }
      let result = try replies.read(3) { both throws(StoreError) -> Result? in
        try both.element(0) { answer throws(StoreError) -> Result? in
          if answer.errorMessage?.hasPrefix("NOSCRIPT") == true { return nil }
          try answer.check()
          return try both.element(1) { cart throws(StoreError) in try read(answer, cart) }
        }
      }
      if let result { return result }
      evaluation = call.command(source: script.source)
    }
  }

  /// Runs many scripts in one round trip, in order.
  func evaluate(
    _ calls: [RedisScriptCall], _ effect: Effect, in history: String? = nil
  ) throws(StoreError) -> RedisReplies {
    var commands: [RedisCommand] = []
    for call in calls { commands.append(try command(for: call)) }
    let replies = try exchange(commands, effect, in: history)
    // A Redis that was emptied of its scripts has run none of them, or those that it was given since; each may be run
    // twice.
    guard calls.indices.contains(where: { replies.isError($0, code: "NOSCRIPT") }) else { return replies }
    return try exchange(calls.map { $0.command(source: $0.script.source) }, effect, in: history)
  }

  private func command(for call: RedisScriptCall) throws(StoreError) -> RedisCommand {
    if digests.isEmpty { try connect() }
    return call.command(digest: digests[call.script] ?? [])
  }

  /// Takes in the time that an answer carried.
  ///
  /// - Parameter sent: the monotonic clock when the question was sent.
  func learnTime(_ milliseconds: Int64, sent: Int64) {
    clock.learn(milliseconds, sent: sent, received: RedisClock.monotonic)
  }
}

@available(*, unavailable)
extension RedisConnection: Sendable {}

// MARK: - Opening

extension RedisConnection {
  private func open() throws(StoreError) {
    let milliseconds = configuration.timeoutMilliseconds
    let timeout = timeval(tv_sec: Int(milliseconds / 1000), tv_usec: Int(milliseconds % 1000) * 1000)
    let opened = unsafe withoutSignals { () -> UnsafeMutablePointer<redisContext>? in
      switch configuration.address {
      case .tcp(let host, let port):
        return unsafe redisConnectWithTimeout(host, port, timeout)
      case .unix(let path):
        let reachable = ReachableSocketPath(path)
        return unsafe redisConnectUnixWithTimeout(reachable.path, timeout)
      }
    }
    guard let opened = unsafe opened else { throw StoreError(.unavailable, "Redis: no memory for a connection") }
    guard unsafe opened.pointee.err == 0, unsafe redisSetTimeout(opened, timeout) == REDIS_OK else {
      let failure = unsafe Failure(opened, wasSent: false)
      unsafe redisFree(opened)
      throw StoreError(.unavailable, "Redis: can't connect: \(failure.reason)")
    }
    unsafe context = opened
  }

  /// hiredis takes a signal while it connects for a failure.
  private func withoutSignals<Result>(_ body: () -> Result) -> Result {
    var all = sigset_t()
    var before = sigset_t()
    unsafe sigfillset(&all)
    unsafe pthread_sigmask(SIG_BLOCK, &all, &before)
    defer { unsafe pthread_sigmask(SIG_SETMASK, &before, nil) }
    return body()
  }

  /// One round trip: who we are, which database, what time it is, and the scripts.
  private func shakeHands() throws(StoreError) {
    var commands: [RedisCommand] = []
    let signsIn = configuration.user != nil || configuration.password != nil
    if signsIn {
      var command = RedisCommand("AUTH")
      if let user = configuration.user { command.append(user) }
      command.append(configuration.password ?? [])
      commands.append(command)
    }
    if configuration.database != 0 { commands.append(RedisCommand("SELECT", String(configuration.database))) }
    let settled = commands.count
    commands.append(RedisCommand("TIME"))
    commands += RedisServer.questions(keys)
    let scripts = commands.count
    for script in RedisScript.allCases {
      var command = RedisCommand("SCRIPT", "LOAD")
      command.append(script.source)
      commands.append(command)
    }
    let sent = RedisClock.monotonic
    var replies = RedisReplies(in: freshMemory())
    if let failure = transmit(commands, isWhole: false, into: &replies) {
      throw StoreError(.unavailable, "Redis: no handshake: \(failure.reason)")
    }
    for index in 0..<settled { try replies.check(index) }
    let time = try replies.read(settled) { value throws(StoreError) in try Self.milliseconds(ofTime: value) }
    learnTime(time, sent: sent)
    server = try RedisServer(replies, at: settled + 1, keyspace: configuration.keyspace)
    roleSeenAt = RedisClock.monotonic
    endsAt = roleSeenAt + configuration.maximumAge + Int64.random(in: 0...configuration.maximumAge / 5)
    for (index, script) in RedisScript.allCases.enumerated() {
      digests[script] = try replies.read(scripts + index) { value throws(StoreError) in try value.bytes() }
    }
  }

  /// Reads the answer of `TIME`: seconds and microseconds.
  private static func milliseconds(ofTime value: borrowing RedisValue) throws(StoreError) -> Int64 {
    var parts: [Int64] = []
    for index in 0..<2 {
      let number = try value.element(index) { part throws(StoreError) in
        try part.withBytes { span in Int64(decimal: span) } ?? nil
      }
      guard let number, number < 1 << 40 else { throw .unexpectedReply }
      parts.append(number)
    }
    return parts[0] * 1000 + parts[1] / 1000
  }

  /// Whether an idle connection was closed from the other side, so that a change isn't lost on it. Over a unix socket
  /// the change's own write fails then, and nothing has been sent.
  private var isPeerGone: Bool {
    guard let context = unsafe context else { return true }
    if case .unix = configuration.address { return false }
    var poll = pollfd(fd: unsafe context.pointee.fd, events: Int16(POLLIN), revents: 0)
    return unsafe Glibc.poll(&poll, 1, 0) != 0
  }
}

// MARK: - Bytes

extension RedisConnection {
  private struct Failure {
    let reason: String
    let isTimeout: Bool
    /// Whether Redis may have all of the commands.
    let wasSent: Bool

    /// All was sent, and no answer came.
    static let late = Failure(reason: noAnswer, isTimeout: true, wasSent: true)
    private static let noAnswer = "no answer in time"

    private init(reason: String, isTimeout: Bool, wasSent: Bool) {
      (self.reason, self.isTimeout, self.wasSent) = (reason, isTimeout, wasSent)
    }

    /// Reads `errno` and the context, before anything else touches them.
    init(_ context: UnsafeMutablePointer<redisContext>, wasSent: Bool) {
      let number = errno
      let isIO = unsafe context.pointee.err == REDIS_ERR_IO
      isTimeout = isIO && (number == EAGAIN || number == ETIMEDOUT || number == EINPROGRESS)
      reason =
        if isTimeout {
          Self.noAnswer
        } else if isIO {
          unsafe String(cString: strerror(number))
        } else {
          unsafe withUnsafeBytes(of: context.pointee.errstr) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
          }
        }
      self.wasSent = wasSent
    }
  }

  /// Sends all commands and takes in their replies; `nil` where all went well.
  ///
  /// - Parameter isWhole: Redis carries out nothing before it has all of it, so that a broken write has no effect.
  private func transmit(
    _ commands: [RedisCommand], isWhole: Bool, into replies: inout RedisReplies
  ) -> Failure? {
    guard let context = unsafe context else { preconditionFailure("not connected") }
    unsafe replies.memory.attach(to: context.pointee.reader)
    let appended = unsafe RedisCommand.message(commands).withUnsafeBytes { bytes in
      unsafe redisAppendFormattedCommand(context, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
    }
    guard appended == REDIS_OK else { return unsafe Failure(context, wasSent: false) }
    var done: Int32 = 0
    while done == 0 {
      guard unsafe redisBufferWrite(context, &done) == REDIS_OK else {
        return unsafe Failure(context, wasSent: !isWhole)
      }
    }
    for _ in commands {
      if let failure = unsafe receive(from: context, into: &replies) { return failure }
    }
    return nil
  }

  /// The memory of the last exchange, or other where its replies are still read.
  private func freshMemory() -> ReplyMemory {
    if !isKnownUniquelyReferenced(&memory) { memory = ReplyMemory() }
    return memory
  }

  /// Takes in one reply. It is waited for in poll(2): what sleeps in a read of a unix socket is woken twice, the first
  /// time when the other side has read the question.
  private func receive(
    from context: UnsafeMutablePointer<redisContext>, into replies: inout RedisReplies
  ) -> Failure? {
    let timeout = Int32(clamping: configuration.timeoutMilliseconds)
    while true {
      var reply: UnsafeMutableRawPointer?
      guard unsafe redisGetReplyFromReader(context, &reply) == REDIS_OK else {
        return unsafe Failure(context, wasSent: true)
      }
      if let reply = unsafe reply {
        unsafe replies.adopt(reply)
        return nil
      }
      // A signal or an error of poll's leaves the waiting to the read.
      var answer = pollfd(fd: unsafe context.pointee.fd, events: Int16(POLLIN), revents: 0)
      if unsafe poll(&answer, 1, timeout) == 0 { return .late }
      guard unsafe redisBufferRead(context) == REDIS_OK else { return unsafe Failure(context, wasSent: true) }
    }
  }
}

/// A path by which a socket can be reached although its own is too long for `sockaddr_un`: through an open descriptor
/// of its folder.
private struct ReachableSocketPath: ~Copyable {
  private static let mostBytes = 107
  /// `O_PATH`, which Glibc's module hides: a folder that may be passed but not read will do.
  private static let pathOnly: Int32 = 0o10_000_000
  let path: String
  private let folder: Int32

  init(_ path: String) {
    var folder: Int32 = -1
    if path.utf8.count > Self.mostBytes, let slash = path.lastIndex(of: "/") {
      folder = unsafe open(String(path[...slash]), Self.pathOnly | O_DIRECTORY | O_CLOEXEC)
    }
    self.folder = folder
    self.path = folder < 0 ? path : "/proc/self/fd/\(folder)/" + path[path.lastIndex(of: "/")!...].dropFirst()
  }

  deinit { if folder >= 0 { close(folder) } }
}
