import ArgumentParser
import CartDomain
import CartStores

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

  /// The catalogue in Redis, with PostgreSQL behind it.
  func catalogue(_ postgres: PostgresConnection) throws -> RedisCatalogue {
    RedisCatalogue(
      connection: RedisConnection(try RedisConfiguration(settings())), source: PostgresCatalogue(postgres))
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
  /// PostgreSQL has the change, Redis could not be told.
  static let notPublished = ExitCode(3)
}

extension SKU: ExpressibleByArgument {
  package init?(argument: String) { self.init(argument) }
}
