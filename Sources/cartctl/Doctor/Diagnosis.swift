import CartDomain
import CartStores
import FastCGIServer
import Glibc

/// Looks at the pool and both stores, and says what is wrong and what to do.
struct Diagnosis {
  private(set) var findings: [Finding] = []

  init(_ both: StoreGraph, _ settings: Settings) {
    check(PoolSummary(settings), settings)
    var redis: RedisExamination?
    // PostgreSQL that is away, or has no tables yet, is a finding below.
    let eligibility = try? both.histories.eligibility()
    do throws(StoreError) {
      // Nothing is tried in a Redis that is not the shop's.
      let found = try both.redis.examine(rights: eligibility.map { $0.state == .newest || $0.state == .next } ?? true)
      redis = found
      check(found, settings)
    } catch {
      add(.failure, "Redis", error.message, "start Redis, or set CART_REDIS; carts can't be read without it")
    }
    do throws(PostgresError) {
      let found = try both.postgres.examine()
      check(found, schema: both.postgres.configuration.schema)
    } catch {
      add(
        .failure, "PostgreSQL", error.message,
        "start PostgreSQL, or set CART_DATABASE; carts go on, but are not persisted")
    }
    guard redis != nil else { return }
    if let eligibility { check(eligibility) }
    do throws(StoreError) {
      check(try Self.stateAfterRetries(of: both.redis))
    } catch {
      add(.failure, "sync", error.message, "see the rights of the Redis user")
    }
  }

  private mutating func add(_ severity: Finding.Severity, _ subject: String, _ text: String, _ advice: String? = nil) {
    findings.append(Finding(severity, subject, text, advice))
  }

  // MARK: The pool

  private mutating func check(_ pool: PoolSummary, _ settings: Settings) {
    guard let failure = pool.failure else { return add(.ok, "pool", pool.text) }
    // Workers that run without a master answer for themselves.
    if let address = ListenAddress(settings[.listen]), (try? PoolClient.get("/ops/health", from: address)) != nil {
      return add(.note, "pool", "workers answer at \(address), without a master", "see that a syncer runs too")
    }
    add(.failure, "pool", failure, "start cartd; the end of its log says why it stopped")
  }

  // MARK: Redis

  private mutating func check(_ redis: RedisExamination, _ settings: Settings) {
    if let version = redis.version {
      let parts = version.split(separator: ".").map { Int($0) ?? 0 }
      let isRecent = (parts.first ?? 0) >= 7
      add(isRecent ? .ok : .failure, "Redis", "version \(version)", isRecent ? nil : "7.0 or newer is needed")
    } else {
      add(
        .note, "Redis", "reachable; INFO is forbidden to this user, so version, memory and durability can't be seen",
        "allow it INFO, so that cartd sees restarts at once and refuses a Redis that may throw carts away")
    }
    if redis.isReplica == true {
      add(.failure, "Redis role", "a replica", "point CART_REDIS at the primary: a replica serves no carts")
    }
    checkDurability(redis)
    checkMemory(redis, settings)
    if redis.areKeysForbidden {
      add(
        .failure, "Redis rights", "this user may not use all keys behind the prefix",
        "ACL SETUSER … ~\(settings[.redisPrefix])cart:* ~\(settings[.redisPrefix])ld:*")
    }
    if redis.areRightsUnknown {
      add(.note, "Redis rights", "not tried in a Redis that is not the shop's")
    } else if redis.missingRights.isEmpty, !redis.areKeysForbidden {
      add(.ok, "Redis rights", "all commands that are needed")
    } else if !redis.missingRights.isEmpty {
      let names = redis.missingRights.map { "+" + $0.lowercased() }.joined(separator: " ")
      add(
        .failure, "Redis rights", "missing: \(redis.missingRights.joined(separator: " "))", "ACL SETUSER … \(names)")
    }
    if abs(redis.clockAhead) > 1_000 { addClock("Redis", redis.clockAhead) }
  }

  private mutating func addClock(_ name: String, _ ahead: Int64) {
    add(
      .warning, "clocks", "\(name)'s clock is \(abs(ahead)) ms \(ahead > 0 ? "ahead of" : "behind") this machine's",
      "run an NTP client on both")
  }

  private mutating func checkDurability(_ redis: RedisExamination) {
    guard let isAppending = redis.isAppending else { return }
    if isAppending {
      let sync = redis.appendSync ?? "unknown"
      add(
        sync == "no" ? .warning : .ok, "Redis durability", "appendonly yes, appendfsync \(sync)",
        sync == "no" ? "set appendfsync everysec" : nil)
    } else {
      let snapshots = redis.snapshots.map { $0.isEmpty ? "no snapshots" : "snapshots \($0)" } ?? "snapshots unknown"
      add(
        .warning, "Redis durability", "appendonly no, \(snapshots)",
        "set appendonly yes; else a restart of Redis brings carts back from PostgreSQL, up to a second older")
    }
    if redis.isDiskFine == false {
      add(
        .failure, "Redis disk", "its last write to disk failed", "look into Redis's log, and at the disk's free space")
    }
  }

  private mutating func checkMemory(_ redis: RedisExamination, _ settings: Settings) {
    guard let policy = redis.policy else { return }
    let isEvicting = policy != "noeviction"
    let accepts = settings[.redisEvicting] == "accept"
    let limit = redis.maximumMemory ?? 0
    // Without a limit nothing is thrown away.
    let severity: Finding.Severity = !isEvicting ? .ok : limit == 0 ? .note : accepts ? .warning : .failure
    add(
      severity, "Redis eviction", "maxmemory-policy \(policy)",
      isEvicting ? "set maxmemory-policy noeviction: Redis may throw carts away that PostgreSQL has not yet" : nil)
    guard let used = redis.usedMemory else { return }
    let mebibytes = "\(used >> 20) MiB"
    if limit == 0 { return add(.note, "Redis memory", mebibytes + " used, no limit", "set maxmemory") }
    let percent = used * 100 / limit
    add(
      percent >= 85 ? .warning : .ok, "Redis memory", "\(mebibytes) of \(limit >> 20) MiB used, \(percent) %",
      percent >= 85 ? "raise maxmemory: adds are refused when it is full" : nil)
  }

  // MARK: PostgreSQL

  private mutating func check(_ database: PostgresExamination, schema: String) {
    let isRecent = database.version >= 150_000
    add(
      isRecent ? .ok : .failure, "PostgreSQL", "version \(database.version / 10_000).\(database.version % 10_000)",
      isRecent ? nil : "15 or newer is needed")
    if !database.isWritable {
      add(.failure, "PostgreSQL role", "it can't be written", "point CART_DATABASE at the primary")
    }
    let ahead = database.time - Timestamp.machineTime.milliseconds
    if abs(ahead) > 1_000 { addClock("PostgreSQL", ahead) }
    if let problem = database.migrationProblem {
      add(.failure, "migrations", problem.message, "run the cartctl that belongs to the schema")
    } else if !database.pending.isEmpty {
      let names = database.pending.map { "\($0.version) \($0.name)" }.joined(separator: ", ")
      add(.failure, "migrations", "not run in schema \(schema): \(names)", "cartctl migrate")
    } else {
      add(.ok, "migrations", "schema \(schema) is up to date")
    }
    if !database.mayCreate {
      add(
        .failure, "PostgreSQL rights", "this user may not make tables in schema \(schema)",
        "GRANT CREATE ON SCHEMA \(schema): the record of changes has a table for each month")
    }
    if !database.forbiddenTables.isEmpty {
      add(
        .failure, "PostgreSQL rights",
        "not all of it may be read and written: "
          + database.forbiddenTables.joined(separator: ", "),
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA \(schema)")
    } else if database.mayCreate {
      add(.ok, "PostgreSQL rights", "may read, write and make tables")
    }
    if !database.missingMonths.isEmpty {
      add(
        .warning, "months", "no table for \(database.missingMonths.joined(separator: ", "))",
        "cartctl sync --all makes it; a syncer that runs does so by itself")
    }
    if database.commandsWaiting > 60_000 {
      add(
        .warning, "commands",
        "\(database.commands) wait for carts, the first for \(database.commandsWaiting / 1_000) s",
        "cartctl sync --all, and see that a syncer runs")
    }
  }

  // MARK: Between them

  private mutating func check(_ eligibility: RedisEligibility) {
    switch eligibility.state {
    case .newest: add(.ok, "history", "\(eligibility.records.newest?.number ?? 0), \(eligibility.text)")
    case .next:
      let isFirst = eligibility.records.newest == nil
      let text = isFirst ? "PostgreSQL has known no Redis yet" : eligibility.text
      add(.note, "history", text, "start cartd: its first use takes it")
    case .superseded, .foreign: add(.failure, "history", eligibility.text, Self.advice(eligibility))
    case .replica: break
    }
  }

  /// Which Redis is the right one, and how sure that is.
  private static func advice(_ eligibility: RedisEligibility) -> String {
    guard let newest = eligibility.records.newest, !newest.location.isEmpty else {
      return "find out which Redis the running cartd uses: an older cartd has not noted it"
    }
    return "set CART_REDIS to the place \(newest.location), where a host stands before a socket or a loopback address: "
      + "a cartd has served from there since \(newest.registeredAt.rfc3339); only if you know that it is gone, cartctl adopt"
  }

  /// Looks again for a while at what may be over in a second.
  private static func stateAfterRetries(of redis: RedisConnection) throws(StoreError) -> SyncState {
    var state = try SyncState(of: redis)
    for _ in 0..<maximumRetries where isDoubtful(state) {
      usleep(pauseMicroseconds)
      state = try SyncState(of: redis)
    }
    return state
  }

  private static func isDoubtful(_ state: SyncState) -> Bool {
    state.lag > 60_000 || state.living.isEmpty
  }

  private static let maximumRetries = 20
  private static let pauseMicroseconds: UInt32 = 200_000

  private mutating func check(_ state: SyncState) {
    let isBehind = state.lag > 60_000
    add(
      isBehind ? .warning : .ok, "lag",
      "\(state.dirty) carts to persist, the first for \(state.lag / 1_000) s; \(state.waiting) changes to record",
      isBehind ? "see that a syncer runs and PostgreSQL is well; cartctl sync --all" : nil)
    if !state.living.isEmpty {
      add(.ok, "syncer", "alive: \(state.living.map(\.name).joined(separator: ", "))")
    } else {
      let isNeeded = state.dirty > 0 || state.waiting > 0
      add(
        isNeeded ? .warning : .note, "syncer", "none has said within half a minute that it lives",
        "start cartd, or cartd --syncer; without daemons have cron run cartctl sync --all")
    }
    check("refused carts", state.quarantined, state.quarantine, state)
    check("changes set aside", state.aside, state.asideOwners, state)
  }

  /// - Parameters:
  ///   - count: how many carts it is.
  ///   - owners: some of them.
  private mutating func check(_ what: String, _ count: Int, _ owners: [CartOwner], _ state: SyncState) {
    if count == 0 { return add(.ok, what, "none") }
    let some = owners.map { owner in owner.text + (state.reasons[owner].map { " (\($0))" } ?? "") }
    add(
      .warning, what, "\(count): \(some.joined(separator: ", "))",
      "cartctl sync OWNER tries it now, cartctl show OWNER says what Redis has; by itself it is tried less and less often, "
        + "after ten minutes at the latest")
  }
}
