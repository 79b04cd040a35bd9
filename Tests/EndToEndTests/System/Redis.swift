import Foundation

/// A Redis reply, as the protocol (RESP 2) has it.
enum RedisReply: Equatable {
  case none
  case integer(Int)
  case text(String)
  case array([RedisReply])
  case failure(String)

  var text: String? {
    if case .text(let text) = self { text } else { nil }
  }

  var integer: Int? {
    if case .integer(let number) = self { number } else { nil }
  }

  var elements: [RedisReply] {
    if case .array(let elements) = self { elements } else { [] }
  }
}

/// A look past the server into the Redis of the instance under test.
final class Redis {
  private let socket: Socket
  private var pending: [UInt8] = []
  /// What every key of this instance begins with.
  let prefix: String

  /// Connects as `cartctl` would, by the variables of the instance's `env` file.
  init() throws {
    let variables = try TestSystem.environment()
    let address = variables["CART_REDIS"] ?? ""
    if address.hasPrefix("unix:") {
      socket = try Socket.unix(path: String(address.dropFirst(5)))
    } else {
      let port = address.split(separator: ":").last.flatMap { UInt16($0) }
      socket = try Socket.loopback(port: port ?? 6379)
    }
    prefix = variables["CART_REDIS_PREFIX"] ?? ""
    if let database = variables["CART_REDIS_DB"], !database.isEmpty { _ = try command("SELECT", database) }
  }

  func command(_ words: String...) throws -> RedisReply {
    var bytes = Array("*\(words.count)\r\n".utf8)
    for word in words { bytes += Array("$\(word.utf8.count)\r\n\(word)\r\n".utf8) }
    try socket.send(bytes)
    let reply = try reply()
    if case .failure(let reason) = reply { throw BadResponse(reason: "Redis: \(reason)") }
    return reply
  }

  /// Commands that Redis has run so far, those of this connection not among them.
  func foreignCommands() throws -> Int {
    let info = try command("INFO", "commandstats").text ?? ""
    var total = 0
    for line in info.split(whereSeparator: \.isNewline) {
      guard let match = line.firstMatch(of: /^cmdstat_[^:]*:calls=(\d+),/) else { continue }
      total += Int(match.1) ?? 0
    }
    defer { ownCommands += 1 }
    return total - ownCommands
  }

  /// How often `foreignCommands` asked already: Redis counts a command once it has run.
  private var ownCommands = 0

  private func reply() throws -> RedisReply {
    let line = try line()
    let rest = String(line.dropFirst())
    switch line.first {
    case "+": return .text(rest)
    case "-": return .failure(rest)
    case ":": return .integer(Int(rest) ?? 0)
    case "$":
      guard let length = Int(rest), length >= 0 else { return .none }
      while pending.count < length + 2 { try readMore() }
      defer { pending.removeFirst(length + 2) }
      return .text(String(decoding: pending.prefix(length), as: UTF8.self))
    case "*":
      guard let count = Int(rest), count >= 0 else { return .none }
      return .array(try (0..<count).map { _ in try reply() })
    default: throw BadResponse(reason: "Redis: unexpected reply \(line)")
    }
  }

  private func line() throws -> String {
    while true {
      if let end = pending.firstIndex(of: 0x0D), pending.count > end + 1 {
        defer { pending.removeFirst(end + 2) }
        return String(decoding: pending[..<end], as: UTF8.self)
      }
      try readMore()
    }
  }

  private func readMore() throws {
    let more = try socket.receive()
    guard !more.isEmpty else { throw BadResponse(reason: "Redis closed the connection") }
    pending += more
  }
}
