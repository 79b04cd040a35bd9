import Foundation

/// What a command said when it ended.
package struct CommandResult {
  package let status: Int32
  package let output: String
  package let errors: String
}

/// Runs a program and waits for its end.
///
/// - Parameter environment: `nil` for that of the tests.
package func runCommand(
  _ path: String, _ arguments: [String], environment: [String: String]? = nil
) throws -> CommandResult {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: path)
  process.arguments = arguments
  if let environment { process.environment = environment }
  let folder = FileManager.default.temporaryDirectory.appendingPathComponent("cart-test-" + uniqueText())
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  // Files rather than pipes: a pipe that nobody reads would stop a talkative command.
  let outputs = ["out", "err"].map { folder.appendingPathComponent($0) }
  for output in outputs { try Data().write(to: output) }
  process.standardOutput = try FileHandle(forWritingTo: outputs[0])
  process.standardError = try FileHandle(forWritingTo: outputs[1])
  process.standardInput = FileHandle.nullDevice
  try process.run()
  process.waitUntilExit()
  let texts = try outputs.map { String(decoding: try Data(contentsOf: $0), as: UTF8.self) }
  return CommandResult(status: process.terminationStatus, output: texts[0], errors: texts[1])
}
