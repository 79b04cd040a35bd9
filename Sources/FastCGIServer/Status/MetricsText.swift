/// Metrics for Prometheus: text exposition format 0.0.4.
package struct MetricsText {
  let prefix: String
  package private(set) var bytes: [UInt8] = []

  /// - Parameter prefix: of all names.
  package init(prefix: String) { self.prefix = prefix }

  /// A family: its samples follow.
  mutating func begin(_ name: String, _ type: String, _ help: String) {
    bytes += "# HELP \(prefix)\(name) \(help)\n# TYPE \(prefix)\(name) \(type)\n".utf8
  }

  mutating func sample(_ name: String, _ labels: String, _ value: String) {
    bytes += "\(prefix)\(name)\(labels.isEmpty ? "" : "{\(labels)}") \(value)\n".utf8
  }

  /// A gauge without labels.
  package mutating func gauge(_ name: String, _ help: String, _ value: Int) {
    begin(name, "gauge", help)
    sample(name, "", "\(value)")
  }

  /// Seconds without trailing zeros.
  static func seconds(_ nanoseconds: UInt64) -> String {
    let fraction = String(nanoseconds % 1_000_000_000)
    let padded = String(repeating: "0", count: 9 - fraction.utf8.count) + fraction
    let short = padded.utf8.reversed().drop { $0 == 0x30 }.reversed()
    let whole = nanoseconds / 1_000_000_000
    return short.isEmpty ? "\(whole)" : "\(whole)." + String(decoding: Array(short), as: UTF8.self)
  }

  /// For a label's value.
  static func escaped(_ label: String) -> String {
    var result = ""
    for scalar in label.unicodeScalars {
      switch scalar {
      case "\\": result += "\\\\"
      case "\"": result += "\\\""
      case "\n": result += "\\n"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
