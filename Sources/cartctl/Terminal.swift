import CartDomain
import CartJSON
import CartStores
import Glibc

/// Standard output and standard error. Text that came from outside can't steer the terminal.
enum Terminal {
  static func print(_ text: String) { write(Array((text + "\n").utf8), to: STDOUT_FILENO) }

  static func printError(_ text: String) { write(Array((text + "\n").utf8), to: STDERR_FILENO) }

  /// The JSON text that `body` writes, and a line feed.
  static func printJSON(_ body: (inout JSONWriter) -> Void) {
    var json = JSONWriter()
    body(&json)
    printJSON(json.bytes)
    write([UInt8(ascii: "\n")], to: STDOUT_FILENO)
  }

  /// A piece of a JSON text. JSON itself allows DEL and the C1 controls in a string; here they are escaped.
  static func printJSON(_ text: some Collection<UInt8>) {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count)
    for byte in text {
      if byte == 0x7F {
        bytes += "\\u007f".utf8
      } else if (0x80...0x9F).contains(byte), bytes.last == 0xC2 {
        bytes.removeLast()
        bytes += "\\u00".utf8
        bytes += String(byte, radix: 16).utf8
      } else {
        bytes.append(byte)
      }
    }
    write(bytes, to: STDOUT_FILENO)
  }

  /// Control characters, and those that turn the direction of writing, as `\u{1b}`.
  static func escaped(_ text: String) -> String {
    var shown = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      switch scalar.value {
      case 0...0x1F, 0x7F...0x9F, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069:
        shown.append(contentsOf: "\\u{\(String(scalar.value, radix: 16))}".unicodeScalars)
      default: shown.append(scalar)
      }
    }
    return String(shown)
  }

  /// By how good the news is.
  enum Color: String {
    case good = "32"
    case doubtful = "33"
    case bad = "31"
  }

  /// In color if standard output is a terminal that has some, unless `NO_COLOR` is set (https://no-color.org).
  static func colored(_ text: String, _ color: Color) -> String {
    hasColors ? "\u{1B}[\(color.rawValue)m\(text)\u{1B}[0m" : text
  }

  private static let hasColors: Bool = {
    let value = Settings.processEnvironment
    return isatty(STDOUT_FILENO) == 1 && (value("NO_COLOR") ?? "").isEmpty && (value("TERM") ?? "dumb") != "dumb"
  }()

  static func write(_ bytes: [UInt8], to descriptor: Int32) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      // The reader is gone.
      if count <= 0 { return }
      rest = rest.dropFirst(count)
    }
  }
}

/// How far a long command is, on one line of a terminal; silent if standard error is none.
struct Progress {
  private let isShown = isatty(STDERR_FILENO) == 1
  private let started = Self.now
  private var shown: Double = 0

  /// - Parameters:
  ///   - unit: what is counted, in the plural.
  ///   - total: how many there are to be, if that is known.
  mutating func show(_ count: Int, _ unit: String, of total: Int? = nil) {
    let now = Self.now
    guard isShown, now - shown > 0.2 else { return }
    shown = now
    let rate = Double(count) / max(now - started, 0.001)
    var text = "\r\u{1B}[K\(count)"
    if let total { text += " of \(total)" }
    text += " \(unit), \(Int(rate)) a second"
    if let total, count > 0, total > count { text += ", \(Int(Double(total - count) / rate)) s left" }
    Terminal.write(Array(text.utf8), to: STDERR_FILENO)
  }

  /// Seconds since it began.
  var seconds: Double { Self.now - started }

  /// Makes room for other output.
  mutating func clear() {
    if isShown, shown > 0 { Terminal.write(Array("\r\u{1B}[K".utf8), to: STDERR_FILENO) }
  }

  private static var now: Double {
    var time = timespec()
    _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}

extension Timestamp {
  /// This machine's time.
  static var machineTime: Timestamp {
    var time = timespec()
    _ = unsafe clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(milliseconds: Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000)
  }
}
