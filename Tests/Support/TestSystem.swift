import Foundation
package import Testing

/// The running instance that the tests speak to: `nginx/up` started it, two variables say where it is.
package enum TestSystem {
  /// `CART_TEST_URL`, `http://127.0.0.1:PORT`.
  package static let url = ProcessInfo.processInfo.environment["CART_TEST_URL"] ?? ""
  /// `CART_TEST_STATE`, the folder that `nginx/up --state` was given.
  package static let state = ProcessInfo.processInfo.environment["CART_TEST_STATE"] ?? ""

  package static var isConfigured: Bool { !url.isEmpty && !state.isEmpty }

  package static let port = UInt16(url.split(separator: ":").last?.prefix { $0.isNumber } ?? "") ?? 0

  /// The variables of the instance's `env` file, as a shell understands them.
  package static func environment() throws -> [String: String] {
    let output = try runCommand("/bin/sh", ["-c", "set -a; . \"$0\"; env -0", state + "/env"]).output
    var variables: [String: String] = [:]
    for entry in output.split(separator: "\0") {
      let parts = entry.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      if parts.count == 2 { variables[String(parts[0])] = String(parts[1]) }
    }
    return variables
  }

  /// Runs the instance's own `cartctl`.
  @discardableResult
  package static func cartctl(_ arguments: String...) throws -> CommandResult {
    let command = ["-c", "set -a; . \"$0\"; exec \"$@\"", state + "/env", state + "/bin/cartctl"]
    return try runCommand("/bin/sh", command + arguments)
  }
}

extension Trait where Self == ConditionTrait {
  /// Runs only against a system that `CART_TEST_URL` and `CART_TEST_STATE` name; `Tests/run` always starts one.
  package static var requiresSystem: Self {
    .enabled(if: TestSystem.isConfigured, "CART_TEST_URL and CART_TEST_STATE name no running instance")
  }
}
