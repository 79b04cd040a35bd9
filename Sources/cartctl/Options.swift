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

  /// The catalogue in Redis, with PostgreSQL behind it.
  func catalogue(_ postgres: PostgresConnection) throws -> RedisCatalogue {
    let redis = RedisConnection(try RedisConfiguration(settings()))
    let catalogue = RedisCatalogue(connection: redis, source: PostgresCatalogue(postgres))
    catalogue.histories = RedisHistories(redis, archive: PostgresCarts(postgres), .looking)
    return catalogue
  }
}

/// Both stores, and what works between them.
struct BothStores {
  let redis: RedisConnection
  let postgres: PostgresConnection
  let archive: PostgresCarts
  let histories: RedisHistories
  let restorer: CartRestorer

  /// Nothing is connected yet.
  init(_ options: StoreOptions) throws {
    redis = RedisConnection(try RedisConfiguration(options.settings()))
    postgres = try options.postgres()
    archive = PostgresCarts(postgres)
    histories = RedisHistories(redis, archive: archive, .looking)
    restorer = CartRestorer(RedisCarts(redis, histories: histories), archive: archive)
  }
}

extension BothStores {
  /// One that does all that waits, for a command.
  func syncer(_ options: StoreOptions) throws -> Syncer {
    Syncer(
      redis, archive: archive, name: "cartctl-\(getpid())-\(String(UInt32.random(in: .min ... .max), radix: 36))",
      mode: .looking, configuration: try Syncer.Configuration(options.settings()))
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
