import ArgumentParser
import CartDomain
import CartStores
import Glibc

/// Operations at a terminal.
@main
struct Cartctl: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cartctl",
    abstract: "Operates a cart service: its catalogue, its carts, its stores.",
    discussion: """
      The stores are found by the CART_* variables of the environment, or in the file given with --config, as cartd \
      finds them. For an instance of ./nginx/up:

        set -a; . .state/env; set +a
        cartctl catalog import products.ndjson

      Exit codes: 0 done; 1 failed: what changes many carts may be done in part, anything else was not done, and \
      repeating it does no harm; for doctor, something is wrong, for status, a store is away; 2 the input has bad lines, nothing was \
      changed; 3 done in PostgreSQL, but Redis could not be told; 4 done, but for carts that are named; 64 wrong usage; \
      130 interrupted, what was done stays.
      """,
    subcommands: [
      Migrate.self, CatalogueCommands.self, ShowCart.self, LogCart.self, SyncCarts.self, RestoreCart.self,
      RebuildCarts.self, ForgetCart.self, OrderCommands.self, AdoptRedis.self, DrainRedis.self, ShowStatus.self,
      Doctor.self,
    ])

  /// ArgumentParser's own would print what the user, a file or a store said byte by byte.
  static func main() {
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch {
      switch error {
      case is StoreError, is PostgresError, is ImportError, is SettingsError:
        Terminal.printError("cartctl: " + Terminal.escaped("\(error)"))
        if isOutcomeUnknown(error) {
          Terminal.printError("cartctl: it may have been carried out all the same; repeating it does no harm")
        }
        Glibc.exit(ExitCode.failure.rawValue)
      default:
        let code = exitCode(for: error)
        let lines = fullMessage(for: error).split(separator: "\n", omittingEmptySubsequences: false)
        let message = lines.map { Terminal.escaped(String($0)) }.joined(separator: "\n")
        if !message.isEmpty { if code.isSuccess { Terminal.print(message) } else { Terminal.printError(message) } }
        Glibc.exit(code.rawValue)
      }
    }
  }

  private static func isOutcomeUnknown(_ error: any Error) -> Bool {
    switch error {
    case let error as StoreError: error.isOutcomeUnknown
    case let error as PostgresError: error.isOutcomeUnknown
    case ImportError.database(let error): error.isOutcomeUnknown
    default: false
    }
  }
}
