internal import Glibc

/// A line for each answered request, as JSON: what was asked, how it ended, how long it took. Nothing that
/// identifies the client, no query, no body.
final class AccessLog {
  private let file: LogFile
  private let process = Int(getpid())
  /// Of the last line, and its text: one second has many lines.
  private var second = 0
  private var secondText: [UInt8] = []

  init(path: String) { file = LogFile(path: path) }

  var isOpen: Bool { file.isOpen }

  func reopen() { file.reopen() }

  /// False if the line was dropped. `request` is nil if none could be read.
  func write(_ request: Request?, _ served: ServedRequest, route: String, caller: String) -> Bool {
    var line = JSONLine()
    line.add("time", time())
    line.add("id", request?.bytes("REQUEST_ID") ?? [], limit: 64)
    line.add("method", request?.bytes("REQUEST_METHOD") ?? [], limit: 16)
    line.add("path", Self.path(of: request), limit: 1024)
    line.add("status", served.status)
    line.add("bytes", served.bytes)
    line.add("microseconds", Int(served.total / 1000))
    line.add("route", route.utf8)
    line.add("pid", process)
    line.add("user", caller.utf8)
    line.end()
    var bytes = line.bytes
    return file.write(&bytes)
  }

  static func path(of request: Request?) -> ArraySlice<UInt8> {
    let target = request?.bytes("REQUEST_URI") ?? []
    return target.prefix { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") }
  }

  /// RFC 3339, UTC, milliseconds.
  private func time() -> [UInt8] {
    var now = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &now)
    if now.tv_sec != second || secondText.isEmpty {
      second = now.tv_sec
      var parts = unsafe tm()
      unsafe gmtime_r(&now.tv_sec, &parts)
      secondText = Self.digits(unsafe Int(parts.tm_year) + 1900, 4) + [0x2d]
      secondText += Self.digits(unsafe Int(parts.tm_mon) + 1, 2) + [0x2d]
      secondText += Self.digits(unsafe Int(parts.tm_mday), 2) + [0x54]
      secondText += Self.digits(unsafe Int(parts.tm_hour), 2) + [0x3a]
      secondText += Self.digits(unsafe Int(parts.tm_min), 2) + [0x3a]
      secondText += Self.digits(unsafe Int(parts.tm_sec), 2) + [0x2e]
    }
    return secondText + Self.digits(now.tv_nsec / 1_000_000, 3) + [0x5a]
  }

  private static func digits(_ number: Int, _ count: Int) -> [UInt8] {
    var rest = number
    var result = [UInt8](repeating: 0x30, count: count)
    for index in result.indices.reversed() {
      result[index] = 0x30 + UInt8(truncatingIfNeeded: abs(rest % 10))
      rest /= 10
    }
    return result
  }
}
