import CartDomain
import CartStores
import FastCGIServer
import Glibc
import Logging

/// Carries changes from Redis to PostgreSQL until it is told to end; what has come by then is carried first.
func synchronise(_ configuration: ServerConfiguration, logger: Logger) throws {
  let activity = Activity(metrics: Metrics.table)
  let child = try BackgroundChild(activity: activity)
  let stores = StoreGraph(RedisConnection(configuration.redis), PostgresConnection(configuration.syncerPostgres))
  let syncer = Syncer(stores, name: SyncerName.own.text, configuration: configuration.syncer)
  syncer.observer.lag = { Metrics.count(lag: $0, in: activity) }
  syncer.observer.turn = { Metrics.count(turn: $0, in: activity) }
  syncer.observer.report = { Metrics.count($0, in: activity) }
  stores.restorer.observe = { Metrics.count($0, in: activity) }
  syncer.observer.note = { logger.warning("\($0)") }
  // One that was killed a moment ago would be waited for.
  try? syncer.remove { SyncerName($0)?.isDead == true }
  child.announceReady()
  var trouble = Trouble(logger)
  while !child.mustEnd(within: trouble.pause) {
    do throws(StoreError) {
      try syncer.turn()
      trouble.ended()
    } catch {
      trouble.met(error)
    }
  }
  do throws(StoreError) {
    if !child.hasSuccessor { try syncer.finish(within: finishSeconds) }
    try syncer.leave()
    if !child.hasSuccessor { try syncer.close() }
  } catch {
    logger.warning("ending with changes that PostgreSQL has not", metadata: ["error": "\(error)"])
    try? syncer.leave()
  }
}

/// Less than a master waits at a stop.
private let finishSeconds = 10

/// A store that is away: told once, and asked again after a while.
private struct Trouble {
  private let logger: Logger
  private var last = ""
  /// Milliseconds.
  private(set) var pause = 0

  init(_ logger: Logger) { self.logger = logger }

  mutating func met(_ error: StoreError) {
    if error.message != last { logger.warning("a store is away", metadata: ["error": "\(error)"]) }
    last = error.message
    pause = min(max(50, pause * 2), 1_000)
  }

  mutating func ended() {
    if !last.isEmpty { logger.notice("both stores are back") }
    last = ""
    pause = 0
  }
}

/// Names a syncer among all of a Redis, by its host and its process.
private struct SyncerName {
  let host: String
  let pid: pid_t

  static let own = SyncerName(host: hostName(), pid: getpid())

  var text: String { "\(host):\(pid)" }

  private init(host: String, pid: pid_t) {
    self.host = host
    self.pid = pid
  }

  init?(_ text: String) {
    guard let colon = text.lastIndex(of: ":"), let pid = pid_t(text[text.index(after: colon)...]), pid > 0 else {
      return nil
    }
    self.init(host: String(text[..<colon]), pid: pid)
  }

  /// It ran here, and there is no such process any more.
  var isDead: Bool { host == Self.own.host && kill(pid, 0) != 0 && errno == ESRCH }
}

private func hostName() -> String {
  var name = [CChar](repeating: 0, count: 256)
  guard unsafe gethostname(&name, name.count - 1) == 0 else { return "host" }
  return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}
