import TestSupport
import Testing

/// A look past the server into the PostgreSQL of the instance under test, with `psql`.
struct Database {
  private let connection: String
  private let schema: String

  init() throws {
    let variables = try TestSystem.environment()
    connection = try #require(variables["CART_DATABASE"])
    schema = variables["CART_SCHEMA"] ?? "cart"
  }

  /// The rows of a query as text.
  func rows(_ sql: String) throws -> [[String]] {
    let result = try runCommand(
      "/usr/bin/env",
      ["psql", "-XAtq", "-F", "\t", "-d", connection, "-c", "SET search_path TO \"\(schema)\"", "-c", sql])
    guard result.status == 0 else { throw BadResponse(reason: "psql: \(result.errors)") }
    return result.output.split(separator: "\n").map { line in
      line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
    }
  }
}
