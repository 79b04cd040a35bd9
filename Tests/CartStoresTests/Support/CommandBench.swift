import Foundation
import Testing

@testable import CartStores

/// Runs `cartctl` on stores of one test's own.
final class CommandBench {
  struct Result {
    var status: Int32
    var output: String
    var errors: String

    /// Standard output as a JSON object.
    var json: [String: Any] {
      (try? JSONSerialization.jsonObject(with: Data(output.utf8))) as? [String: Any] ?? [:]
    }

    /// Standard output as a JSON array of objects.
    var list: [[String: Any]] {
      (try? JSONSerialization.jsonObject(with: Data(output.utf8))) as? [[String: Any]] ?? []
    }
  }

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

  func run(_ arguments: String..., environment more: [String: String] = [:]) throws -> Result {
    try run(arguments, environment: more)
  }

  func run(_ arguments: [String], environment more: [String: String] = [:]) throws -> Result {
    let process = Process()
    process.executableURL = Self.program
    process.arguments = arguments
    let inherited = ProcessInfo.processInfo.environment
    var environment = ["PATH": inherited["PATH"] ?? "", "CART_SCHEMA": schema.name, "CART_REDIS_PREFIX": redis.prefix]
    environment["CART_DATABASE"] = PostgresTesting.database
    environment["CART_REDIS"] = inherited["CART_TEST_REDIS"]
    process.environment = environment.merging(more) { $1 }
    // Files, not pipes: nobody need read them for the command to go on.
    let files = ["output", "errors"].map { folder.appendingPathComponent($0 + "-" + UUID().uuidString) }
    for file in files { _ = FileManager.default.createFile(atPath: file.path, contents: nil) }
    process.standardOutput = try FileHandle(forWritingTo: files[0])
    process.standardError = try FileHandle(forWritingTo: files[1])
    process.standardInput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    let texts = try files.map { String(decoding: try Data(contentsOf: $0), as: UTF8.self) }
    return Result(status: process.terminationStatus, output: texts[0], errors: texts[1])
  }
}
