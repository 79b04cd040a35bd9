import TestSupport

/// A look past the server into the Redis of the instance under test, with `redis-cli`.
struct Redis {
  private let client: [String]
  /// To count by: a program that is started for it would leave the others too much time.
  private let socket: Socket
  /// What every key of this instance begins with.
  let prefix: String

  /// Connects as `cartctl` would, by the variables of the instance's `env` file.
  init() throws {
    let variables = try TestSystem.environment()
    let address = variables["CART_REDIS"] ?? ""
    prefix = variables["CART_REDIS_PREFIX"] ?? ""
    let isUnix = address.hasPrefix("unix:")
    let place = isUnix ? String(address.dropFirst(5)) : address.split(separator: ":").last.map(String.init) ?? "6379"
    client = ["redis-cli", "-n", variables["CART_REDIS_DB"] ?? "0", isUnix ? "-s" : "-p", place]
    socket = isUnix ? try Socket.unix(path: place) : try Socket.loopback(port: UInt16(place) ?? 6379)
  }

  /// The reply as text, an array as a line for each of its elements; empty for none.
  func command(_ words: String...) throws -> String {
    let result = try runCommand("/usr/bin/env", client + words)
    guard result.status == 0, !result.output.hasPrefix("ERR") else {
      throw BadResponse(reason: "redis-cli: \(result.output)\(result.errors)")
    }
    return result.output.split(separator: "\n").joined(separator: "\n")
  }

  /// Commands that Redis has run so far, but for those by which this is asked.
  func foreignCommands() throws -> Int {
    try socket.send(Array("INFO commandstats\r\n".utf8))
    var info = ""
    while !info.hasSuffix("\r\n\r\n") { info += String(decoding: try socket.receive(), as: UTF8.self) }
    return info.split(whereSeparator: \.isNewline).reduce(0) { sum, line in
      let match = line.firstMatch(of: /^cmdstat_(?!info)[^:]*:calls=(\d+),/)
      return sum + (match.flatMap { Int($0.1) } ?? 0)
    }
  }
}
