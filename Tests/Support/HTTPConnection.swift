import Foundation

/// The server broke HTTP/1.1.
package struct BadResponse: Error, CustomStringConvertible {
  let reason: String
  package var description: String { reason }

  package init(reason: String) { self.reason = reason }
}

/// One client of the server under test, its connection kept alive from request to request.
package final class HTTPConnection: Transport {
  private let port: UInt16
  private var socket: Socket?
  private var pending: [UInt8] = []

  package init(port: UInt16 = TestSystem.port) { self.port = port }

  package var host: String { "127.0.0.1:\(port)" }

  package func send(_ request: Request) throws -> Answer {
    let answer = try exchange(request.bytes(host: host), expectsBody: request.method != "HEAD")
    let hasLength = answer.status != 204 && answer.status != 304
    guard answer.all("Content-Length").count == (hasLength ? 1 : 0) else {
      throw BadResponse(reason: "status \(answer.status) with Content-Length \(answer.all("Content-Length"))")
    }
    return answer
  }

  /// Sends bytes and reads one answer. A connection that the server closed while idle is opened anew.
  package func exchange(_ bytes: [UInt8], expectsBody: Bool = true) throws -> Answer {
    let isReused = socket != nil
    do {
      try write(bytes)
      return try readAnswer(expectsBody: expectsBody)
    } catch  where isReused && pending.isEmpty && (error is ClosedEarly || error is SocketError) {
      close()
      try write(bytes)
      return try readAnswer(expectsBody: expectsBody)
    }
  }

  package func write(_ request: Request) throws { try write(request.bytes(host: host)) }

  package func write(_ bytes: [UInt8]) throws {
    if socket == nil {
      pending = []
      socket = try Socket.loopback(port: port)
    }
    try socket?.send(bytes)
  }

  package func close() {
    socket = nil
    pending = []
  }

  /// The end of the stream before the first byte of an answer.
  package struct ClosedEarly: Error {}

  package func readAnswer(expectsBody: Bool = true) throws -> Answer {
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

  private func finish(head: String, expectsBody: Bool) throws -> Answer {
    var lines = head.components(separatedBy: "\r\n")
    let statusLine = lines.removeFirst().split(separator: " ", maxSplits: 2)
    guard statusLine.count >= 2, statusLine[0].hasPrefix("HTTP/1."), let status = Int(statusLine[1]) else {
      throw BadResponse(reason: "no status line: \(head.prefix(100))")
    }
    let headers = lines.map { line in
      let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      return (name: String(parts[0]), value: parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : "")
    }
    let answer = Answer(status: status, headers: headers, body: [])
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
    return closedIfAsked(Answer(status: status, headers: headers, body: body))
  }

  private func closedIfAsked(_ answer: Answer) -> Answer {
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
