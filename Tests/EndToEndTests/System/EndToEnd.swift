import Foundation
import TestSupport
import Testing

/// Every test through nginx, one after the other: some count Redis commands or measure a second, and would see the
/// others' work.
@Suite(.serialized, .requiresSystem) struct EndToEnd {}

extension TestSystem {
  /// The processes that serve: the children of the master that `cartd.pid` names.
  static func workers() throws -> Set<Int> {
    let text = try String(contentsOfFile: state + "/cartd.pid", encoding: .utf8)
    let master = try #require(Int(text.trimmingCharacters(in: .whitespacesAndNewlines)))
    var children: Set<Int> = []
    for name in try FileManager.default.contentsOfDirectory(atPath: "/proc") {
      guard let pid = Int(name), let stat = try? String(contentsOfFile: "/proc/\(name)/stat", encoding: .utf8) else {
        continue
      }
      // The command's name stands in parentheses and may hold anything; the parent comes two fields after it.
      let fields = stat[(stat.lastIndex(of: ")") ?? stat.startIndex)...].split(separator: " ")
      if fields.count > 2, Int(fields[2]) == master { children.insert(pid) }
    }
    return children
  }
}

/// Asks on many connections, so that every worker answers, for a little longer than `seconds`: an answer to a request
/// that was sent after that time must be as wanted.
///
/// - Returns: the answers that came too late to be of the old kind, yet were.
func staleAnswers<Value>(
  after seconds: Double, connections: Int = 12, _ ask: (Int) throws -> Value, isNew: (Value) throws -> Bool
) throws -> [Value] {
  let start = ContinuousClock.now
  var stale: [Value] = []
  var counted = 0
  var turn = 0
  while counted < connections * 4 {
    let sent = ContinuousClock.now
    let value = try ask(turn % connections)
    turn += 1
    guard sent - start > .seconds(seconds) else { continue }
    counted += 1
    if try !isNew(value) { stale.append(value) }
  }
  return stale
}
