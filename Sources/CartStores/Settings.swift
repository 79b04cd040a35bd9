import CartDomain
import Glibc

/// Every key of the configuration: one table for `cartd`, `cartctl` and the example file under `nginx/`.
package enum SettingKey: String, CaseIterable, Sendable {
  case listen = "CART_LISTEN"
  case listenMode = "CART_LISTEN_MODE"
  case listenOwner = "CART_LISTEN_OWNER"
  case listenGroup = "CART_LISTEN_GROUP"
  case operationsListen = "CART_OPS_LISTEN"
  case workers = "CART_WORKERS"
  case maximumRequests = "CART_MAX_REQUESTS"
  case maximumMemory = "CART_MAX_RSS"
  case requestDeadline = "CART_REQUEST_DEADLINE"
  case queueAge = "CART_QUEUE_AGE"
  case pidFile = "CART_PID_FILE"
  case logLevel = "CART_LOG_LEVEL"
  case accessLog = "CART_ACCESS_LOG"
  case slowMilliseconds = "CART_SLOW_MS"
  case basePath = "CART_BASE_PATH"
  case origins = "CART_ORIGINS"
  case guestSecretFile = "CART_GUEST_SECRET_FILE"
  case oldGuestSecretFile = "CART_GUEST_SECRET_OLD_FILE"
  case cookieSecure = "CART_COOKIE_SECURE"
  case tokenAlgorithm = "CART_JWT_ALGORITHM"
  case tokenKeyFiles = "CART_JWT_KEY_FILES"
  case tokenAudience = "CART_JWT_AUDIENCE"
  case tokenIssuer = "CART_JWT_ISSUER"
  case tokenLeeway = "CART_JWT_LEEWAY"
  case lowStock = "CART_LOW_STOCK"
  case touchLimit = "CART_TOUCH_LIMIT"
  case mergeStrategy = "CART_MERGE_STRATEGY"
  case guestCheckout = "CART_GUEST_CHECKOUT"
  case cancelWithin = "CART_CANCEL_WITHIN"
  case orderKeysDays = "CART_ORDER_KEYS_DAYS"
  case redis = "CART_REDIS"
  case redisDatabase = "CART_REDIS_DB"
  case redisPrefix = "CART_REDIS_PREFIX"
  case redisUser = "CART_REDIS_USER"
  case redisPasswordFile = "CART_REDIS_PASSWORD_FILE"
  case redisEvicting = "CART_REDIS_EVICTING"
  /// Of configurations that were written for older versions: guests' carts are always persisted.
  case guestPersist = "CART_GUEST_PERSIST"
  case idleDays = "CART_IDLE_DAYS"
  case changesMonths = "CART_CHANGES_MONTHS"
  case database = "CART_DATABASE"
  case schema = "CART_SCHEMA"

  /// What holds where nothing is set; empty for none.
  package var defaultValue: String {
    switch self {
    case .listen: "unix:/run/cartd/cartd.sock"
    case .listenMode: "0660"
    case .workers: "4"
    case .maximumRequests: "0"
    case .maximumMemory: "0"
    case .requestDeadline: "30"
    case .queueAge: "5"
    case .slowMilliseconds: "500"
    case .logLevel: "info"
    case .cookieSecure: "auto"
    case .tokenLeeway: "0"
    case .lowStock: "20"
    case .touchLimit: "60000"
    case .mergeStrategy: "sum"
    case .guestCheckout: "on"
    case .cancelWithin: "30"
    case .orderKeysDays: "400"
    case .redis: "127.0.0.1:6379"
    case .redisDatabase: "0"
    case .redisEvicting: "refuse"
    case .guestPersist: "on"
    case .idleDays: "90"
    case .changesMonths: "0"
    case .database: "dbname=cart"
    case .schema: "cart"
    default: ""
    }
  }
}

/// A configuration that can't be used. `message` names the key and what is wrong, never a secret.
package struct SettingsError: Error, CustomStringConvertible {
  package let message: String
  package init(_ message: String) { self.message = message }
  package var description: String { message }
}

/// The configuration in force: flags win over the environment, the environment over the file.
package struct Settings: Sendable {
  private var values: [SettingKey: String] = [:]

  /// - Parameters:
  ///   - file: the path of a file of `KEY=value` lines, or `nil`.
  ///   - flags: what the command line sets.
  ///   - environment: asked for each key; the process's own by default.
  package init(
    file: String? = nil, flags: [SettingKey: String] = [:],
    environment: (String) -> String? = Settings.processEnvironment
  ) throws(SettingsError) {
    if let file { values = try Self.read(file) }
    for key in SettingKey.allCases {
      if let value = flags[key] ?? environment(key.rawValue) { values[key] = value }
    }
  }

  /// The value, or the default; empty where neither is.
  package subscript(key: SettingKey) -> String { values[key] ?? key.defaultValue }

  /// An integer within `range`.
  package func integer(_ key: SettingKey, in range: ClosedRange<Int>) throws(SettingsError) -> Int {
    guard let value = Int(self[key]), range.contains(value) else {
      throw SettingsError("\(key.rawValue): not an integer from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  package static let processEnvironment: @Sendable (String) -> String? = { name in
    unsafe getenv(name).map { unsafe String(cString: $0) }
  }

  private static func read(_ path: String) throws(SettingsError) -> [SettingKey: String] {
    guard let text = FileContents.read(path, limit: 1 << 20) else {
      throw SettingsError("\(path): \(unsafe String(cString: strerror(errno)))")
    }
    var values: [SettingKey: String] = [:]
    for (number, line) in String(decoding: text, as: UTF8.self).split(
      separator: "\n", omittingEmptySubsequences: false
    ).enumerated() {
      let line = trimmed(line)
      if line.isEmpty || line.hasPrefix("#") { continue }
      guard let equals = line.firstIndex(of: "="), let key = SettingKey(rawValue: String(line[..<equals])) else {
        throw SettingsError("\(path):\(number + 1): not a KEY=value line with a known key")
      }
      values[key] = unquoted(line[line.index(after: equals)...])
    }
    return values
  }

  private static func trimmed(_ text: Substring) -> Substring {
    var text = text.drop { $0 == " " || $0 == "\t" }
    while let last = text.last, last == " " || last == "\t" || last == "\r" { text.removeLast() }
    return text
  }

  /// A value may stand in single or double quotes, so that a shell can read the same file.
  private static func unquoted(_ text: Substring) -> String {
    guard text.count >= 2, let first = text.first, first == text.last, first == "'" || first == "\"" else {
      return String(text)
    }
    return String(text.dropFirst().dropLast())
  }
}

/// Reads small files whole.
package enum FileContents {
  /// `nil` where it can't be read (see `errno`) or is longer than `limit` bytes (`EFBIG`).
  package static func read(_ path: String, limit: Int) -> [UInt8]? {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var contents: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = unsafe Glibc.read(descriptor, &chunk, chunk.count)
      if count < 0 {
        if errno == EINTR { continue }
        return nil
      }
      if count == 0 { return contents }
      contents += chunk[..<count]
      if contents.count > limit {
        errno = EFBIG
        return nil
      }
    }
  }
}
