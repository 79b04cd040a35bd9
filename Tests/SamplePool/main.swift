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
// milliseconds; SAMPLE_CONNECTIONS how many connections a worker holds.

func handle(_ request: Request) -> Response {
  let path = request.parameter("REQUEST_URI") ?? ""
  let words = path.split(separator: "/")
  switch words.first {
  case "pid":
    return Response(status: 200, text: "\(getpid())")
  case "sleep":
    let milliseconds = words.dropFirst().first.flatMap { UInt32($0) } ?? 0
    usleep(milliseconds * 1000)
    return Response(status: 200, text: "\(getpid())")
  case "echo":
    return Response(status: 200, fields: [.init("Content-Type", "application/octet-stream")], body: request.body)
  case "big":
    let count = words.dropFirst().first.flatMap { Int($0) } ?? 0
    return Response(status: 200, body: [UInt8](repeating: 0x78, count: count))
  case "size":
    return Response(status: request.isBodyTooLarge ? 413 : 200, text: "\(request.body.count)")
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

func fileExists(_ variable: String) -> Bool {
  guard let path = unsafe getenv(variable) else { return false }
  return unsafe access(path, F_OK) == 0
}

func number(_ variable: String) -> Int? {
  guard let text = unsafe getenv(variable) else { return nil }
  return Int(unsafe String(cString: text))
}

func run() throws {
  var logger = Logger(label: "sample") { StreamLogHandler.standardError(label: $0) }
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
    configuration.checkConfiguration = { !fileExists("SAMPLE_REFUSED") }
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
    try Worker.run(configuration: configuration, logger: logger, respond: handle)
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
