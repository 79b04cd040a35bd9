/// A request to be written byte for byte: nothing is encoded, folded or checked on the way.
package struct Request {
  package var method: String
  package var target: [UInt8]
  /// Whom the web server vouches for; the demo's nginx takes it from the cookie `demoUser`.
  package var user: [UInt8]?
  package var headers: [(name: String, value: String)]
  package var body: [UInt8]?
  package var isChunked = false
  /// Header lines sent as they are, for what no well-behaved client would send.
  package var rawLines: [[UInt8]] = []

  package init(
    _ method: String, _ target: String, headers: KeyValuePairs<String, String> = [:], body: [UInt8]? = nil
  ) {
    self.method = method
    self.target = Array(target.utf8)
    self.headers = headers.map { (name: $0.key, value: $0.value) }
    self.body = body
  }

  package mutating func add(_ name: String, _ value: String) { headers.append((name: name, value: value)) }

  package func bytes(host: String) -> [UInt8] {
    var lines = [Array("\(method) ".utf8) + target + Array(" HTTP/1.1".utf8)]
    if !headers.contains(where: { $0.name == "Host" }) { lines.append(Array("Host: \(host)".utf8)) }
    if let user { lines.append(Array("Cookie: demoUser=".utf8) + user) }
    lines += headers.map { Array("\($0.name): \($0.value)".utf8) } + rawLines
    if let body {
      lines.append(Array((isChunked ? "Transfer-Encoding: chunked" : "Content-Length: \(body.count)").utf8))
    }
    let head = lines.flatMap { $0 + Array("\r\n".utf8) } + Array("\r\n".utf8)
    return head + (isChunked ? chunks : body ?? [])
  }

  private var chunks: [UInt8] {
    var rest = (body ?? [])[...]
    var bytes: [UInt8] = []
    while !rest.isEmpty {
      let chunk = rest.prefix(1_000)
      bytes += Array("\(String(chunk.count, radix: 16))\r\n".utf8) + chunk + Array("\r\n".utf8)
      rest = rest.dropFirst(chunk.count)
    }
    return bytes + Array("0\r\n\r\n".utf8)
  }
}
