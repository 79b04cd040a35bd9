import Foundation
import TestSupport

@testable import CartStores

/// Runs `cartctl` on stores of one test's own.
final class CommandBench {
  /// Beside the program that runs the tests.
  private static let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    .deletingLastPathComponent().appendingPathComponent("cartctl")

  let schema: PostgresSchema
  let redis: RedisConfiguration
  let folder: URL

  init(migrated: Bool = true) throws {
    schema = try PostgresSchema(migrated: migrated)
    redis = try RedisTesting.configuration()
    folder = FileManager.default.temporaryDirectory.appendingPathComponent(RedisTesting.uniqueName("cartctl-"))
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  func run(_ arguments: String..., environment more: [String: String] = [:]) throws -> CommandResult {
    try run(arguments, environment: more)
  }

  func run(_ arguments: [String], environment more: [String: String] = [:]) throws -> CommandResult {
    let inherited = ProcessInfo.processInfo.environment
    var environment = ["PATH": inherited["PATH"] ?? "", "CART_SCHEMA": schema.name, "CART_REDIS_PREFIX": redis.prefix]
    environment["CART_DATABASE"] = PostgresTesting.database
    environment["CART_REDIS"] = inherited["CART_TEST_REDIS"]
    return try runCommand(Self.program.path, arguments, environment: environment.merging(more) { $1 })
  }
}

extension CommandResult {
  /// Standard output as a JSON object.
  var json: [String: Any] {
    (try? JSONSerialization.jsonObject(with: Data(output.utf8))) as? [String: Any] ?? [:]
  }

  /// Standard output as a JSON array of objects.
  var list: [[String: Any]] {
    (try? JSONSerialization.jsonObject(with: Data(output.utf8))) as? [[String: Any]] ?? []
  }
}
