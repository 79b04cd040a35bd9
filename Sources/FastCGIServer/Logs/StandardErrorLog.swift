internal import Glibc
package import Logging

/// swift-log's lines on standard error, each in one write that does not wait, each in one line, whatever bytes are in it.
package struct StandardErrorLog: LogHandler {
  /// Shared by all log handlers of this process.
  private final class Output: @unchecked Sendable {
    // One thread logs: these processes have no other.
    let file = LogFile()
    static let shared = Output()
  }

  package var logLevel = Logger.Level.info
  package var metadata: Logger.Metadata = [:]
  private let label: String

  package init(label: String) { self.label = label }

  package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  package func log(event: LogEvent) {
    var text = "\(Self.time()) \(event.level) \(label):"
    let all = event.metadata.map { metadata.merging($0) { $1 } } ?? metadata
    for (key, value) in all.sorted(by: { $0.key < $1.key }) { text += " \(key)=\(value)" }
    text += " [\(event.source)] \(event.message)"
    var line = Self.printable(text)
    _ = Output.shared.file.write(&line)
  }

  /// Control bytes, among them ends of line, become visible; a line is shorter than what a pipe takes at once.
  static func printable(_ text: String) -> [UInt8] {
    var line: [UInt8] = []
    for byte in text.utf8.prefix(3000) {
      if byte < 0x20 || byte == 0x7f {
        let digits = Array("0123456789abcdef".utf8)
        line += [0x5c, 0x78, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      } else {
        line.append(byte)
      }
    }
    return line
  }

  private static func time() -> String {
    var now = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &now)
    var parts = unsafe tm()
    unsafe localtime_r(&now.tv_sec, &parts)
    var text = [UInt8](repeating: 0, count: 40)
    let count = unsafe text.withUnsafeMutableBytes { buffer in
      guard let start = unsafe buffer.bindMemory(to: CChar.self).baseAddress else { return 0 }
      return unsafe strftime(start, buffer.count, "%Y-%m-%dT%H:%M:%S%z", &parts)
    }
    return String(decoding: text.prefix(count), as: UTF8.self)
  }
}
