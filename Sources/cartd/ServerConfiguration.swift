import CartAPI
import CartDomain
import CartStores
import FastCGIServer
import Glibc
import Logging

/// Everything that `cartd` is told, read and checked before anything starts.
struct ServerConfiguration {
  let listen: ListenAddress
  let listenMode: UInt32
  let listenOwner: String?
  let listenGroup: String?
  let workers: Int
  let pool: PoolSettings
  let pidFile: String?
  let logLevel: Logger.Level
  let api: APIConfiguration
  /// Seconds for which a shopper may cancel an order.
  let cancelWithin: Int
  /// Lines of a cart that its changes of more than 100 lines may touch in a minute; 0: any number.
  let touchLimit: Int
  let redis: RedisConfiguration
  /// Redis may throw keys away when it is full; the operator knows.
  let acceptsEviction: Bool
  let postgres: PostgresConfiguration
  /// The same database for those who may wait for it.
  let syncerPostgres: PostgresConfiguration
  let syncer: Syncer.Configuration

  init(_ flags: Flags) throws {
    let settings = try Settings(file: flags.configurationFile, flags: flags.settings)
    guard let listen = ListenAddress(settings[.listen]) else {
      throw SettingsError("\(SettingKey.listen.rawValue): neither unix:/path nor host:port")
    }
    guard let mode = UInt32(settings[.listenMode], radix: 8), mode <= 0o777 else {
      throw SettingsError("\(SettingKey.listenMode.rawValue): not an octal mode")
    }
    guard let level = Logger.Level(rawValue: settings[.logLevel]) else {
      throw SettingsError("\(SettingKey.logLevel.rawValue): not a level of the log")
    }
    self.listen = listen
    self.listenMode = mode
    self.listenOwner = Self.optional(settings[.listenOwner])
    self.listenGroup = Self.optional(settings[.listenGroup])
    self.workers = try settings.integer(.workers, in: 1...1_000)
    self.pool = try PoolSettings(settings, listen: listen)
    self.pidFile = Self.optional(settings[.pidFile])
    self.logLevel = level
    self.api = try Self.api(settings)
    self.cancelWithin = try settings.integer(.cancelWithin, in: 0...525_600) * 60
    self.touchLimit = try settings.integer(.touchLimit, in: 0...1_000_000_000)
    self.redis = try RedisConfiguration(settings)
    guard ["refuse", "accept"].contains(settings[.redisEvicting]) else {
      throw SettingsError("\(SettingKey.redisEvicting.rawValue): neither refuse nor accept")
    }
    self.acceptsEviction = settings[.redisEvicting] == "accept"
    guard settings[.guestPersist] == "on" else {
      throw SettingsError(
        "\(SettingKey.guestPersist.rawValue): guests' carts are always persisted; leave the setting out")
    }
    self.postgres = try PostgresConfiguration(settings)
    self.syncerPostgres = try PostgresConfiguration(
      settings, applicationName: "cartd syncer", patience: .background)
    self.syncer = try Syncer.Configuration(settings)
  }

  private static func optional(_ text: String) -> String? { text.isEmpty ? nil : text }

  private static func api(_ settings: Settings) throws -> APIConfiguration {
    guard let security = APIConfiguration.CookieSecurity(rawValue: settings[.cookieSecure]) else {
      throw SettingsError("\(SettingKey.cookieSecure.rawValue): neither auto nor always nor never")
    }
    guard let secret = try secret(settings, .guestSecretFile) else {
      throw SettingsError("\(SettingKey.guestSecretFile.rawValue): a file with the guests' secret is needed")
    }
    guard let strategy = MergeStrategy(rawValue: settings[.mergeStrategy]) else {
      throw SettingsError("\(SettingKey.mergeStrategy.rawValue): neither sum nor overwrite nor keep nor max")
    }
    guard ["on", "off"].contains(settings[.guestCheckout]) else {
      throw SettingsError("\(SettingKey.guestCheckout.rawValue): neither on nor off")
    }
    return try APIConfiguration(
      basePath: settings[.basePath], origins: settings[.origins], guestSecret: secret,
      oldGuestSecret: try self.secret(settings, .oldGuestSecretFile),
      tokens: try TokenConfiguration(settings), cookieSecurity: security,
      lowStock: settings.integer(.lowStock, in: 0...1_000_000_000), mergeStrategy: strategy,
      guestsMayOrder: settings[.guestCheckout] == "on")
  }

  private static func secret(_ settings: Settings, _ key: SettingKey) throws(SettingsError) -> [UInt8]? {
    let path = settings[key]
    if path.isEmpty { return nil }
    let bytes = try TrustedFile.read(path, for: key, holds: .secret)
    return bytes.filter { !(0x09...0x0D).contains($0) && $0 != 0x20 }
  }
}
