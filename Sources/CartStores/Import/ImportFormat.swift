/// The formats of a catalogue file.
package enum ImportFormat: String, CaseIterable, Sendable {
  /// One JSON object a line.
  case ndjson
  /// RFC 4180, with a header of the keys.
  case csv
  /// The CSV of the "Online Retail" data set of the UCI Machine Learning Repository.
  case onlineRetail = "online-retail"

  /// By the extension `.ndjson`, `.jsonl` or `.csv`, `.gz` behind it or not; `nil` for any other.
  package init?(path: String) {
    var name = path.utf8.split(separator: UInt8(ascii: "/")).last.map { String($0)?.lowercased() ?? "" } ?? ""
    if name.hasSuffix(".gz") { name.removeLast(3) }
    if name.hasSuffix(".ndjson") || name.hasSuffix(".jsonl") {
      self = .ndjson
    } else if name.hasSuffix(".csv") {
      self = .csv
    } else {
      return nil
    }
  }
}

/// A line of the file that can't be imported.
package struct ImportProblem: Equatable, Sendable {
  /// From 1. A CSV record of several lines goes by its first.
  package let line: Int
  /// May quote the file: escape control characters before showing it.
  package let reason: String

  package init(line: Int, reason: String) {
    self.line = line
    self.reason = reason
  }
}

/// An import that could not be carried out at all; nothing was changed, but where
/// ``PostgresError/isOutcomeUnknown``.
package enum ImportError: Error, CustomStringConvertible {
  /// The file can't be read.
  case file(String)
  case database(PostgresError)

  package var description: String {
    switch self {
    case .file(let message): message
    case .database(let error): error.description
    }
  }
}
