import ArgumentParser
import CartDomain
import CartJSON
import CartStores

/// `cartctl status`
struct ShowStatus: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Shows the pool, the stores, the carts, and how far PostgreSQL is behind.",
    discussion: """
      The pool is asked where CART_OPS_LISTEN, or else CART_LISTEN, says that it is; each worker is on /ops/status. \
      Exit code 1 where a store does not answer.

        cartctl status
        watch -n 2 cartctl status
        cartctl status --json
      """)

  @OptionGroup var stores: StoreOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let both = try stores.graph()
    var status = Status(pool: PoolSummary(try stores.settings()))
    do throws(StoreError) {
      status.redis = try both.redis.examine(rights: false)
      status.sync = try SyncState(of: both.redis)
    } catch {
      status.redisFailure = error.message
    }
    do throws(PostgresError) {
      status.postgres = try both.postgres.examine()
    } catch {
      status.postgresFailure = error.message
    }
    status.eligibility = try? both.histories.eligibility()
    if output.json {
      Terminal.printJSON { $0.status(status) }
    } else {
      for row in status.rows {
        let text = Terminal.escaped(row.text)
        Terminal.print(Table.padded(row.name, 12) + (row.color.map { Terminal.colored(text, $0) } ?? text))
      }
    }
    if status.isStoreAway { throw ExitCode.failure }
  }
}

/// What is shown, on one screen.
private struct Status {
  var pool: PoolSummary
  var redis: RedisExamination?
  var sync: SyncState?
  var eligibility: RedisEligibility?
  var postgres: PostgresExamination?
  var redisFailure: String?
  var postgresFailure: String?

  var isStoreAway: Bool { redisFailure != nil || postgresFailure != nil }

  struct Row {
    var name: String
    var text: String
    /// `nil` if it is neither good nor bad.
    var color: Terminal.Color?
  }

  var rows: [Row] {
    [
      Row(name: "pool", text: pool.text, color: pool.failure == nil ? .good : .doubtful),
      Row(name: "redis", text: redisText, color: redisFailure == nil ? .good : .bad),
      Row(name: "postgres", text: postgresText, color: postgresFailure == nil ? .good : .bad),
    ] + historyRows + syncRows
  }

  private var redisText: String {
    guard let redis else { return "away: \(redisFailure ?? "")" }
    var parts = [redis.version ?? "up"]
    if let used = redis.usedMemory {
      let limit = redis.maximumMemory.flatMap { $0 > 0 ? " of \($0 >> 20)" : nil } ?? ""
      parts.append("\(used >> 20)\(limit) MiB")
    }
    if let policy = redis.policy { parts.append(policy) }
    if let isAppending = redis.isAppending { parts.append(isAppending ? "appendonly" : "not appendonly") }
    if let lineage = sync?.history { parts.append("history \(lineage)") }
    return parts.joined(separator: ", ")
  }

  private var postgresText: String {
    guard let postgres else { return "away: \(postgresFailure ?? "")" }
    let version = "\(postgres.version / 10_000).\(postgres.version % 10_000)"
    if postgres.migrationProblem != nil || !postgres.pending.isEmpty { return version + ", not migrated" }
    return version + (postgres.isWritable ? "" : ", can't be written")
  }

  private var historyRows: [Row] {
    guard let eligibility else { return [] }
    let color: Terminal.Color = eligibility.state == .newest ? .good : eligibility.state == .next ? .doubtful : .bad
    return [Row(name: "history", text: eligibility.text, color: color)]
  }

  private var syncRows: [Row] {
    var rows: [Row] = []
    let kept = postgres.map { ", \($0.carts) in PostgreSQL" } ?? ""
    if let sync {
      rows.append(Row(name: "carts", text: "\(sync.active) in use in Redis\(kept)"))
      rows.append(
        Row(
          name: "lag", text: "\(sync.lag) ms: \(sync.dirty) carts to persist, \(sync.waiting) changes to record",
          color: sync.lag < 5_000 ? nil : .doubtful))
      rows.append(
        Row(name: "refused", text: "\(sync.quarantined) carts", color: sync.quarantined == 0 ? nil : .doubtful))
      if sync.aside > 0 {
        rows.append(Row(name: "set aside", text: "changes of \(sync.aside) carts", color: .doubtful))
      }
      let names = sync.syncers.map { "\($0.name) (\($0.idle) ms ago)" }
      rows.append(
        Row(
          name: "syncers", text: names.isEmpty ? "none" : names.joined(separator: ", "),
          color: sync.living.isEmpty ? .doubtful : nil))
    }
    if let postgres { rows.append(Row(name: "commands", text: "\(postgres.commands) wait for carts")) }
    return rows
  }
}

extension JSONWriter {
  fileprivate mutating func status(_ status: Status) {
    object {
      $0.object("pool") {
        $0.field("up", status.pool.failure == nil)
        $0.field("error", status.pool.failure)
        for (name, value) in status.pool.counts { $0.field(name, value) }
      }
      $0.object("redis") {
        $0.field("up", status.redisFailure == nil)
        $0.field("error", status.redisFailure)
        $0.field("version", status.redis?.version)
        $0.field("usedBytes", status.redis?.usedMemory)
        $0.field("maximumBytes", status.redis?.maximumMemory)
        $0.field("history", status.sync?.history)
        $0.field("standing", status.eligibility?.state.rawValue)
        $0.field("location", status.eligibility?.location)
        $0.field("shopLocation", status.eligibility?.records.newest?.location)
      }
      $0.object("postgres") {
        $0.field("up", status.postgresFailure == nil)
        $0.field("error", status.postgresFailure)
        $0.field("version", status.postgres?.version)
        $0.field("pendingMigrations", status.postgres?.pending.count)
        $0.field("carts", status.postgres?.carts)
        $0.field("commands", status.postgres?.commands)
      }
      $0.key("sync")
      if let sync = status.sync { $0.sync(sync) } else { $0.null() }
    }
  }

  private mutating func sync(_ sync: SyncState) {
    object {
      $0.field("active", sync.active)
      $0.field("lagMilliseconds", sync.lag)
      $0.field("dirty", sync.dirty)
      $0.field("waiting", sync.waiting)
      $0.field("refused", sync.quarantined)
      $0.field("aside", sync.aside)
      $0.array("syncers") {
        for syncer in sync.syncers {
          $0.object {
            $0.field("name", syncer.name)
            $0.field("idleMilliseconds", syncer.idle)
          }
        }
      }
    }
  }
}
