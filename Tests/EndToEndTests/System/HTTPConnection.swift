import Foundation

/// An answer, as its bytes were.
struct HTTPResponse: Sendable {
  let status: Int
  let headers: [(name: String, value: String)]
  let body: [UInt8]

  /// The first header of this name, in any case.
  subscript(name: String) -> String? { all(name).first }

  func all(_ name: String) -> [String] {
    headers.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
  }

  /// The body as JSON; a body that is none fails the test with its beginning.
  var json: JSON {
    get throws {
      do {
        return try JSONParser.parse(body)
      } catch {
        throw BadResponse(reason: "\(error): status \(status): \(String(decoding: body.prefix(300), as: UTF8.self))")
      }
    }
  }
}

/// The server broke HTTP/1.1 or JSON.
struct BadResponse: Error, CustomStringConvertible {
  let reason: String
  var description: String { reason }
}

/// A request to be written byte for byte: nothing is encoded, folded or checked on the way.
struct HTTPRequest {
  var method: String
  var target: String
  var headers: [(name: String, value: String)] = []
  var body: [UInt8]?
  /// Header lines sent as they are, for what no well-behaved client would send.
  var rawLines: [[UInt8]] = []
  var isChunked = false

  func bytes(host: String) -> [UInt8] {
    var head = Array("\(method) \(target) HTTP/1.1\r\n".utf8)
    if !headers.contains(where: { $0.name.lowercased() == "host" }) { head += Array("Host: \(host)\r\n".utf8) }
    for header in headers { head += Array("\(header.name): \(header.value)\r\n".utf8) }
    for line in rawLines { head += line + Array("\r\n".utf8) }
    guard let body else { return head + Array("\r\n".utf8) }
    guard isChunked else { return head + Array("Content-Length: \(body.count)\r\n\r\n".utf8) + body }
    head += Array("Transfer-Encoding: chunked\r\n\r\n".utf8)
    var rest = body[...]
    while !rest.isEmpty {
      let chunk = rest.prefix(1_000)
      head += Array("\(String(chunk.count, radix: 16))\r\n".utf8) + chunk + Array("\r\n".utf8)
      rest = rest.dropFirst(chunk.count)
    }
    return head + Array("0\r\n\r\n".utf8)
  }
}

/// One client of the server under test, its connection kept alive from request to request.
final class HTTPConnection {
  let port: UInt16
  private var socket: Socket?
  private var pending: [UInt8] = []

  init(port: UInt16 = TestSystem.port) { self.port = port }

  var host: String { "127.0.0.1:\(port)" }

  func send(_ request: HTTPRequest) throws -> HTTPResponse {
    try exchange(request.bytes(host: host), expectsBody: request.method != "HEAD")
  }

  /// Sends bytes and reads one answer. A connection that the server closed while idle is opened anew.
  func exchange(_ bytes: [UInt8], expectsBody: Bool = true) throws -> HTTPResponse {
    let isReused = socket != nil
    do {
      try write(bytes)
      return try readResponse(expectsBody: expectsBody)
    } catch  where isReused && pending.isEmpty && (error is ClosedEarly || error is SocketError) {
      close()
      try write(bytes)
      return try readResponse(expectsBody: expectsBody)
    }
  }

  func write(_ bytes: [UInt8]) throws {
    if socket == nil {
      pending = []
      socket = try Socket.loopback(port: port)
    }
    try socket?.send(bytes)
  }

  func close() {
    socket = nil
    pending = []
  }

  /// The end of the stream before the first byte of an answer.
  struct ClosedEarly: Error {}

  func readResponse(expectsBody: Bool = true) throws -> HTTPResponse {
    let separator = Array("\r\n\r\n".utf8)
    var searched = 0
    while true {
      if let end = pending.firstRange(of: separator, from: searched) {
        let head = String(decoding: pending[..<end], as: UTF8.self)
        pending.removeFirst(end + 4)
        return try finish(head: head, expectsBody: expectsBody)
      }
      searched = max(0, pending.count - 3)
      try readMore()
    }
  }

  private func readMore() throws {
    guard let more = try socket?.receive(), !more.isEmpty else {
      if pending.isEmpty { throw ClosedEarly() }
      throw BadResponse(reason: "the connection ended within an answer")
    }
    pending += more
  }

  private func finish(head: String, expectsBody: Bool) throws -> HTTPResponse {
    var lines = head.components(separatedBy: "\r\n")
    let statusLine = lines.removeFirst().split(separator: " ", maxSplits: 2)
    guard statusLine.count >= 2, statusLine[0].hasPrefix("HTTP/1."), let status = Int(statusLine[1]) else {
      throw BadResponse(reason: "no status line: \(head.prefix(100))")
    }
    let headers = lines.map { line in
      let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      return (name: String(parts[0]), value: parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : "")
    }
    let answer = HTTPResponse(status: status, headers: headers, body: [])
    guard expectsBody, status != 204, status != 304 else { return closedIfAsked(answer) }
    var body: [UInt8] = []
    if let text = answer["Content-Length"] {
      guard let length = Int(text) else { throw BadResponse(reason: "Content-Length \(text)") }
      while pending.count < length { try readMore() }
      body = Array(pending.prefix(length))
      pending.removeFirst(length)
    } else {
      // Neither a length nor a body of its own: only an answer of nginx about a broken request looks like this.
      while let more = try socket?.receive(), !more.isEmpty { pending += more }
      body = pending
      close()
    }
    return closedIfAsked(HTTPResponse(status: status, headers: headers, body: body))
  }

  private func closedIfAsked(_ answer: HTTPResponse) -> HTTPResponse {
    if answer["Connection"]?.lowercased() == "close" { close() }
    return answer
  }
}

extension [UInt8] {
  fileprivate func firstRange(of pattern: [UInt8], from start: Int) -> Int? {
    guard count >= pattern.count else { return nil }
    return (start...(count - pattern.count)).first { self[$0..<($0 + pattern.count)].elementsEqual(pattern) }
  }
}
