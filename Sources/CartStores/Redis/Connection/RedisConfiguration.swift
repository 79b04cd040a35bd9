import CartDomain

/// Where Redis is, and as whom to speak to it.
package struct RedisConfiguration: Sendable {
  package enum Address: Equatable, Sendable {
    case unix(path: String)
    case tcp(host: String, port: Int32)
  }

  package var address: Address
  /// The number given to `SELECT`.
  package var database: Int
  /// Stands before every key; may be empty.
  package var prefix: String
  /// A user of Redis's access control list; `nil` for the default user.
  package var user: String?
  /// Never printed.
  package var password: [UInt8]?
  /// How long to wait for a connection or an answer, in milliseconds.
  package var timeoutMilliseconds: Int64
  /// For so many milliseconds after a time-out nothing is tried, so that whoever has another way out takes it at once.
  package var restAfterTimeout: Int64 = 0
  /// A connection is made anew after so many milliseconds, or up to a fifth more, so that not all are at once: a name that
  /// leads to another Redis by now is followed.
  package var maximumAge: Int64 = 270_000

  package init(
    address: Address, database: Int = 0, prefix: String = "", user: String? = nil, password: [UInt8]? = nil,
    timeoutMilliseconds: Int64 = 2_000
  ) {
    self.address = address
    self.database = database
    self.prefix = prefix
    self.user = user
    self.password = password
    self.timeoutMilliseconds = timeoutMilliseconds
  }

  /// Reads the `CART_REDIS…` keys and the file with the password.
  package init(_ settings: Settings) throws(SettingsError) {
    let text = settings[.redis]
    guard let address = Address(text) else {
      throw SettingsError("\(SettingKey.redis.rawValue): neither unix:/path nor host:port")
    }
    let user = settings[.redisUser]
    var password: [UInt8]?
    let file = settings[.redisPasswordFile]
    if !file.isEmpty {
      guard let contents = FileContents.read(file, limit: 4_096) else {
        throw SettingsError("\(SettingKey.redisPasswordFile.rawValue): \(file) can't be read")
      }
      password = Self.trimmed(contents)
    }
    self.init(
      address: address, database: try settings.integer(.redisDatabase, in: 0...65_535),
      prefix: settings[.redisPrefix], user: user.isEmpty ? nil : user, password: password)
    restAfterTimeout = 1_000
  }

  /// Behind a replication id: other keys of the same Redis are another place. Empty for the default.
  var keyspace: String {
    if database == 0 && prefix.isEmpty { return "" }
    return "/\(database)/" + PercentEncoding.encode(prefix, reserved: [UInt8(ascii: "|")])
  }

  /// Where it is, for everybody who reaches it by the same words. A socket and a loopback address mean another Redis on
  /// each host, which stands before them.
  package var location: String {
    let place: String
    switch address {
    case .unix(let path): place = "\(HostName.current) unix:\(FilePath.resolved(path))"
    case .tcp(let host, let port):
      let name = host.lowercased()
      let isHere = name == "localhost" || name == "::1" || name.hasPrefix("127.")
      place = (isHere ? HostName.current + " " : "") + "\(name):\(port)"
    }
    return place + keyspace
  }

  private static func trimmed(_ bytes: [UInt8]) -> [UInt8] {
    func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
    guard let first = bytes.firstIndex(where: { !isSpace($0) }), let last = bytes.lastIndex(where: { !isSpace($0) })
    else { return [] }
    return Array(bytes[first...last])
  }
}

extension RedisConfiguration.Address {
  /// Reads `unix:/path`, `host:port` or `[address]:port`; `nil` for anything else.
  package init?(_ text: String) {
    guard !text.utf8.contains(0) else { return nil }
    if text.hasPrefix("unix:") {
      let path = String(text.dropFirst(5))
      guard !path.isEmpty else { return nil }
      self = .unix(path: path)
      return
    }
    guard let colon = text.lastIndex(of: ":"), let port = Int32(text[text.index(after: colon)...]),
      (1...65_535).contains(port)
    else { return nil }
    var host = text[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
    guard !host.isEmpty else { return nil }
    self = .tcp(host: String(host), port: port)
  }
}
