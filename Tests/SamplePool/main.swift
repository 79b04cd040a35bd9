import FastCGIServer
import Glibc
import Logging

// A pool without carts: what the tests of `FastCGIServer` run as processes of their own.
//
//   SamplePool master unix:/path WORKERS [maximumRequests]
//   SamplePool worker [maximumRequests]
//
// From the environment: a file named by SAMPLE_BROKEN, once there, makes every new worker end at its start, and one named
// by SAMPLE_REFUSED fails the check of the configuration; SAMPLE_DEADLINE is the deadline for reading and writing, in
// milliseconds; SAMPLE_CONNECTIONS how many connections a worker holds; SAMPLE_REQUEST_DEADLINE the deadline of a request,
// SAMPLE_SLOW what makes a request slow, and SAMPLE_QUEUE_AGE how long one may wait for a worker, all in milliseconds;
// SAMPLE_ACCESS_LOG a file; SAMPLE_MEMORY bytes; SAMPLE_STATUS the socket of a child that answers when all workers are busy.

/// The state of one worker.
final class Sample {
  let activity = Activity()
  let limit = ConcurrencyLimit()
  var hoard: [[UInt8]] = []
}

func handle(_ request: Request, _ sample: Sample) -> Response {
  let activity = sample.activity
  let path = (request.parameter("REQUEST_URI") ?? "").prefix { $0 != "?" }
  let words = path.split(separator: "/")
  switch words.first {
  case "pid":
    return Response(status: 200, text: "\(getpid())")
  case "sleep":
    let milliseconds = words.dropFirst().first.flatMap { UInt32($0) } ?? 0
    let end = ContinuousClock.now + .milliseconds(milliseconds)
    while ContinuousClock.now < end { usleep(1000) }
    return Response(status: 200, text: "\(getpid())")
  case "limited", "slow":
    guard sample.limit.enter(isLikelySlow: words.first == "slow") else {
      return Response(status: 503, text: "enough are at it")
    }
    defer { sample.limit.leave() }
    usleep((words.dropFirst().first.flatMap { UInt32($0) } ?? 0) * 1_000)
    return Response(status: 200, text: "\(getpid())")
  case "spin":
    // Nothing that a signal would interrupt.
    activity.beginWait(for: .redis)
    while true {}
  case "unresponsive":
    var all = sigset_t()
    unsafe sigfillset(&all)
    unsafe sigprocmask(SIG_BLOCK, &all, nil)
    while true {}
  case "store":
    activity.beginWait(for: .postgres)
    usleep(20_000)
    activity.endWait(for: .postgres)
    var response = Response(status: 200, text: "stored")
    response.route = 1
    response.caller = "user"
    return response
  case "status":
    return Response(status: 200, body: activity.poolStatus()?.json ?? [])
  case "metrics":
    return Response(status: 200, body: activity.poolStatus()?.metrics(prefix: "sample_") ?? [])
  case "page":
    return Response(status: 200, body: activity.poolStatus()?.page(title: "sample <pool>") ?? [])
  case "grow":
    for _ in 0..<16 { sample.hoard.append([UInt8](repeating: 1, count: 1 << 20)) }
    return Response(status: 200, text: "\(getpid())")
  case "echo":
    return Response(status: 200, fields: [.init("Content-Type", "application/octet-stream")], body: request.body)
  case "big":
    let count = words.dropFirst().first.flatMap { Int($0) } ?? 0
    return Response(status: 200, body: [UInt8](repeating: 0x78, count: count))
  case "size":
    return Response(status: request.isBodyTooLarge ? 413 : 200, text: "\(request.body.count)")
  case "environment":
    // Variables that are for the master alone.
    return Response(status: 200, text: ["NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID"].compactMap(text).joined())
  case "empty":
    return Response(status: 204)
  case "head":
    return Response(status: 200, body: Array("head".utf8), omitsBody: true)
  case "crash":
    abort()
  default:
    return Response(status: 404, text: "nothing here")
  }
}

func text(_ variable: String) -> String? {
  unsafe getenv(variable).map { unsafe String(cString: $0) }
}

func fileExists(_ variable: String) -> Bool {
  guard let path = unsafe getenv(variable) else { return false }
  return unsafe access(path, F_OK) == 0
}

func number(_ variable: String) -> Int? {
  text(variable).flatMap { Int($0) }
}

func run() throws {
  var logger = Logger(label: "sample") { StandardErrorLog(label: $0) }
  logger.logLevel = .debug
  let arguments = CommandLine.arguments
  switch arguments.dropFirst().first {
  case "master":
    guard arguments.count >= 4, let address = ListenAddress(arguments[2]), let workers = Int(arguments[3]) else {
      break
    }
    var configuration = Master.Configuration(
      listen: address, executable: try Master.executablePath(),
      roles: [.workers(workers, arguments: ["worker"] + arguments.dropFirst(4))])
    configuration.stopTimeout = .seconds(5)
    configuration.startTimeout = .seconds(5)
    configuration.requestDeadline = number("SAMPLE_REQUEST_DEADLINE").map { .milliseconds($0) }
    configuration.checkConfiguration = { !fileExists("SAMPLE_REFUSED") }
    if let address = text("SAMPLE_STATUS").flatMap({ ListenAddress($0) }) {
      configuration.roles.append(ChildRole(name: "responder", arguments: ["worker"], listen: address))
    }
    if let milliseconds = number("SAMPLE_QUEUE_AGE") { configuration.queueAge = .milliseconds(milliseconds) }
    try Master.run(configuration: configuration, logger: logger)
    exit(0)
  case "worker":
    if fileExists("SAMPLE_BROKEN") { exit(3) }
    var configuration = Worker.Configuration()
    configuration.maximumRequests = arguments.dropFirst(2).first.flatMap { Int($0) }
    if let milliseconds = number("SAMPLE_DEADLINE") {
      configuration.limits.readDeadline = .milliseconds(milliseconds)
      configuration.limits.writeDeadline = .milliseconds(milliseconds)
    }
    if let connections = number("SAMPLE_CONNECTIONS") { configuration.limits.connections = connections }
    if let milliseconds = number("SAMPLE_REQUEST_DEADLINE") {
      configuration.limits.requestDeadline = .milliseconds(milliseconds)
    }
    configuration.slowRequest = number("SAMPLE_SLOW").map { .milliseconds($0) }
    configuration.accessLog = text("SAMPLE_ACCESS_LOG")
    configuration.maximumMemory = number("SAMPLE_MEMORY")
    let sample = Sample()
    configuration.activity = sample.activity
    configuration.limit = sample.limit
    configuration.routes = ["store \"it\""]
    configuration.timeoutResponse = {
      Response(status: 504, fields: [.init("Request-Id", $0)], body: Array("late \($0)".utf8))
    }
    try Worker.run(configuration: configuration, logger: logger) { handle($0, sample) }
    exit(0)
  default:
    break
  }
  print("SamplePool master unix:/path WORKERS [maximumRequests]\nSamplePool worker [maximumRequests]")
  exit(64)
}

do {
  try run()
} catch {
  print("SamplePool: \(error)")
  exit(1)
}
