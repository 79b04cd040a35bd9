import Foundation
import Testing

/// The running instance that the tests speak to: `nginx/up` started it, two variables say where it is.
enum TestSystem {
  /// `CART_TEST_URL`, `http://127.0.0.1:PORT`.
  static let url = ProcessInfo.processInfo.environment["CART_TEST_URL"] ?? ""
  /// `CART_TEST_STATE`, the folder that `nginx/up --state` was given.
  static let state = ProcessInfo.processInfo.environment["CART_TEST_STATE"] ?? ""

  static var isConfigured: Bool { !url.isEmpty && !state.isEmpty }

  static let port = UInt16(url.split(separator: ":").last?.prefix { $0.isNumber } ?? "") ?? 0

  /// The variables of the instance's `env` file, as a shell understands them.
  static func environment() throws -> [String: String] {
    let output = try run("/bin/sh", ["-c", "set -a; . \"$0\"; env -0", state + "/env"]).output
    var variables: [String: String] = [:]
    for entry in output.split(separator: "\0") {
      let parts = entry.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      if parts.count == 2 { variables[String(parts[0])] = String(parts[1]) }
    }
    return variables
  }

  /// Runs the instance's own `cartctl`.
  @discardableResult
  static func cartctl(_ arguments: String...) throws -> CommandResult {
    try run("/bin/sh", ["-c", "set -a; . \"$0\"; exec \"$@\"", state + "/env", state + "/bin/cartctl"] + arguments)
  }

  struct CommandResult {
    let status: Int32
    let output: String
    let errors: String
  }

  static func run(_ path: String, _ arguments: [String]) throws -> CommandResult {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("cart-e2e-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    // Files rather than pipes: a pipe that nobody reads would stop a talkative command.
    let outputs = [folder.appendingPathComponent("out"), folder.appendingPathComponent("err")]
    for output in outputs { try Data().write(to: output) }
    process.standardOutput = try FileHandle(forWritingTo: outputs[0])
    process.standardError = try FileHandle(forWritingTo: outputs[1])
    process.standardInput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    let texts = try outputs.map { String(decoding: try Data(contentsOf: $0), as: UTF8.self) }
    return CommandResult(status: process.terminationStatus, output: texts[0], errors: texts[1])
  }

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

extension Trait where Self == ConditionTrait {
  /// Runs only against a system that `CART_TEST_URL` and `CART_TEST_STATE` name; `Tests/run` always starts one.
  static var requiresSystem: Self {
    .enabled(if: TestSystem.isConfigured, "CART_TEST_URL and CART_TEST_STATE name no running instance")
  }
}

/// Every test through nginx, one after the other: some count Redis commands or measure a second, and would see the
/// others' work.
@Suite(.serialized, .requiresSystem) struct EndToEnd {}
