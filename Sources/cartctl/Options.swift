import ArgumentParser
import CartDomain
import CartStores
import Glibc

/// What every command needs to find the stores.
struct StoreOptions: ParsableArguments {
  @Option(name: .long, help: "Read CART_* keys from this file; the environment wins over it.")
  var config: String?

  func settings() throws -> Settings { try Settings(file: config) }

  /// The owner of the catalogue; nothing is connected yet.
  func postgres() throws -> PostgresConnection {
    PostgresConnection(
      try PostgresConfiguration(settings(), applicationName: "cartctl", patience: .command))
  }

  /// Both stores, and what works between them. A command registers no Redis. Nothing is connected yet.
  func graph() throws -> StoreGraph {
    StoreGraph(RedisConnection(try RedisConfiguration(settings())), try postgres(), mode: .looking)
  }

  /// One that does all that waits, for a command.
  func syncer(of stores: StoreGraph) throws -> Syncer {
    Syncer(
      stores, name: "cartctl-\(getpid())-\(String(UInt32.random(in: .min ... .max), radix: 36))",
      configuration: try Syncer.Configuration(settings()))
  }
}

/// How a result is shown.
struct OutputOptions: ParsableArguments {
  @Flag(name: .long, help: "Print JSON.")
  var json = false
}

extension ExitCode {
  /// The input has bad lines; nothing was changed.
  static let badInput = ExitCode(2)
  /// PostgreSQL has the change, but it could not be published to Redis.
  static let notPublished = ExitCode(3)
  /// Some carts can't be read, or PostgreSQL refuses them; the others are done.
  static let refusedCarts = ExitCode(4)
  /// By SIGINT or SIGTERM; what was done stays.
  static let interrupted = ExitCode(130)
}

extension SKU: ExpressibleByArgument {
  package init?(argument: String) { self.init(argument) }
}

extension CartOwner: ExpressibleByArgument {
  package init?(argument: String) { self.init(argument) }

  /// `user:ID` or `guest:ID`, with nothing in it that steers a terminal.
  var shown: String { Terminal.escaped(text) }
  /// `user:ID` or `guest:ID`.
  var text: String { "\(kind):\(id)" }
}

/// The cart that a command is about.
struct OwnerArgument: ParsableArguments {
  @Argument(help: "user:ID or guest:ID; a guest's ID is the value of the cookie, with or without what follows the dot.")
  var owner: CartOwner
}
