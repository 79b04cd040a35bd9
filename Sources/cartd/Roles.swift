import CartAPI
import CartDomain
import CartStores
import FastCGIServer
import Glibc
import Logging

/// Serves the socket on descriptor 0.
func serve(_ configuration: ServerConfiguration, logger: Logger) throws {
  let stores = StoreGraph(configuration)
  let activity = Activity(metrics: Metrics.table)
  stores.observeWaits(with: activity)
  let service = try CartService(
    store: stores.store, catalogue: stores.catalogue, orders: stores.checkout, configuration: configuration.api,
    operations: PoolOperations(configuration, activity: activity), now: StoreGraph.now)
  var worker = Worker.Configuration()
  worker.activity = activity
  worker.routes = CartService.routes
  let limit = worker.limit
  stores.checkout.mayBegin = { limit.enter(isLikelySlow: $0) }
  stores.checkout.didEnd = { limit.leave() }
  worker.limits.bodyBytes = CartService.maximumBodyBytes
  worker.limits.requestDeadline = configuration.pool.requestDeadline
  worker.maximumRequests = configuration.pool.maximumRequests
  worker.maximumMemory = configuration.pool.maximumMemory
  worker.accessLog = configuration.pool.accessLog
  worker.slowRequest = configuration.pool.slowRequest
  worker.refusalResponse = { Response(service.respond(to: HTTPResponse.cause(of: $0))) }
  worker.timeoutResponse = { Response(service.respond(to: .late, requestID: $0)) }
  try Worker.run(configuration: worker, logger: logger) { request in
    let response = service.respond(to: HTTPRequest(request))
    if let note = response.note { logger.warning("\(note)", metadata: ["status": "\(response.status)"]) }
    return Response(response)
  }
}

/// Owns the socket, and keeps the workers alive.
///
/// - Throws: ``SettingsError`` if Redis may throw carts away and nobody has accepted that.
func runMaster(_ configuration: ServerConfiguration, flags: Flags, logger: Logger) throws {
  try prepareStores(configuration, logger: logger)
  var master = Master.Configuration(
    listen: configuration.listen, executable: try Master.executablePath(),
    roles: [.workers(configuration.workers, arguments: flags.childArguments + ["--worker"])])
  master.roles.append(
    ChildRole(
      name: "syncer", arguments: flags.childArguments + ["--syncer"], replacement: .oldFirst, stopsLast: true,
      serves: false))
  if let address = configuration.pool.operationsListen {
    master.roles.append(
      ChildRole(name: "responder", arguments: flags.childArguments + ["--responder"], listen: address))
  }
  master.requestDeadline = configuration.pool.requestDeadline
  master.queueAge = configuration.pool.queueAge
  master.socketMode = configuration.listenMode
  master.socketOwner = configuration.listenOwner
  master.socketGroup = configuration.listenGroup
  master.pidFile = configuration.pidFile
  master.checkConfiguration = {
    do {
      _ = try ServerConfiguration(flags)
      return true
    } catch {
      logger.error("the configuration can't be used", metadata: ["error": "\(error)"])
      return false
    }
  }
  try Master.run(configuration: master, logger: logger)
}

/// Looks at the stores before the workers do. One that is away now may be back when it is needed, so that is no reason
/// not to start.
private func prepareStores(_ configuration: ServerConfiguration, logger: Logger) throws(SettingsError) {
  let stores = StoreGraph(configuration)
  var refusal: String?
  do throws(StoreError) {
    refusal = evictionRefusal(try stores.redis.evictionPolicy(), configuration)
    if refusal == nil {
      _ = try stores.histories.current()
      try stores.catalogue.publish()
    }
  } catch {
    logger.warning("starting although a store is away", metadata: ["error": "\(error)"])
  }
  if let refusal { throw SettingsError(refusal) }
}

/// What is wrong with a policy by which Redis may throw carts away.
private func evictionRefusal(_ policy: String?, _ configuration: ServerConfiguration) -> String? {
  guard let policy, policy != "noeviction", !configuration.acceptsEviction else { return nil }
  return "Redis: maxmemory-policy is \(policy), so that carts may vanish; set it to noeviction, "
    + "or \(SettingKey.redisEvicting.rawValue)=accept"
}

/// Tries everything that a start would need, and says what is wrong.
func check(_ configuration: ServerConfiguration) -> Bool {
  let stores = StoreGraph(configuration, mode: .looking)
  var isUsable = true
  func attempt(_ what: String, _ body: () throws(StoreError) -> Void) {
    do throws(StoreError) {
      try body()
      print("\(what): ok")
    } catch {
      print(error.message.hasPrefix(what) ? error.message : "\(what): \(error.message)")
      isUsable = false
    }
  }
  if let path = configuration.pool.accessLog {
    attempt("access log") { () throws(StoreError) in
      let descriptor = unsafe open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0o640)
      if descriptor < 0 && errno != ENXIO { throw StoreError(.unavailable, "\(path) can't be written to") }
      close(descriptor)
    }
  }
  attempt("Redis") { () throws(StoreError) in
    try stores.redis.connect()
    let found = try stores.redis.examine()
    if let refusal = evictionRefusal(found.policy, configuration) { throw StoreError(.unavailable, refusal) }
    if !found.missingRights.isEmpty {
      throw StoreError(.unavailable, "Redis: no right to \(found.missingRights.joined(separator: ", "))")
    }
    if found.isReplica == true { throw StoreError(.unavailable, "Redis: is a replica") }
  }
  attempt("PostgreSQL") { () throws(StoreError) in try examine(stores.postgres) }
  if !isUsable { return false }
  attempt("history") { () throws(StoreError) in
    let eligibility = try stores.histories.eligibility()
    if [.superseded, .foreign].contains(eligibility.state) { throw StoreError(.unavailable, eligibility.text) }
  }
  return isUsable
}

/// - Throws: what is wrong with the database, and what to do.
private func examine(_ postgres: PostgresConnection) throws(StoreError) {
  let found: PostgresExamination
  do throws(PostgresError) {
    found = try postgres.examine()
  } catch {
    throw error.storeError
  }
  if let problem = found.migrationProblem { throw problem.storeError }
  if !found.pending.isEmpty {
    throw StoreError(.unavailable, "PostgreSQL: the tables are not up to date; run `cartctl migrate`")
  }
  if !found.isWritable { throw StoreError(.unavailable, "PostgreSQL: can only be read; is it a replica?") }
  if !found.forbiddenTables.isEmpty {
    throw StoreError(
      .unavailable, "PostgreSQL: no right to write to \(found.forbiddenTables.joined(separator: ", "))")
  }
}
