import CartDomain

/// What a script on a cart answers.
struct ScriptAnswer {
  enum Status: String {
    case changed = "CHANGED"
    case unchanged = "UNCHANGED"
    case replayed = "REPLAYED"
    case keyReused = "REUSED"
    case versionMismatch = "VERSION"
    case lineNotFound = "MISSING"
    /// A rule was broken; the domain says which.
    case refused = "REFUSED"
    /// The change was reckoned with another catalogue than the current one. Nothing was done.
    case otherCatalogueVersion = "GENERATION"
    /// Nobody waits for it any more. Nothing was done.
    case late = "LATE"
    /// Redis's memory is short: what would need more of it is not done.
    case full = "FULL"
    /// The cart has been changed by many lines lately. Nothing was done.
    case limited = "LIMITED"
    /// There is no such cart, and none was to be made.
    case absent = "ABSENT"
    /// The cart is of another history of Redis than the current one.
    case stale = "STALE"
    /// A command came before the one that it follows.
    case gap = "GAP"
    /// The lines are not as the sender of a command saw them.
    case outdated = "OUTDATED"
    /// Nothing changes until somebody opens Redis: see ``RedisHistories/open()``.
    case closed = "CLOSED"
    /// PostgreSQL has registered a newer history of Redis.
    case superseded = "SUPERSEDED"
    case merging = "MERGING"
    case merged = "MERGED"
  }

  let status: Status
  /// The catalogue's version as Redis has it; `nil` where it has none.
  let catalogueVersion: Int64?
  let isCookieDue: Bool
  /// Redis's time, milliseconds since 1970.
  let time: Int64
  /// The cart's version as it is now; 0 for one that was never written.
  let version: Int64
  /// With ``Status/limited``: seconds after which it would be done.
  let retryAfter: Int

  init(_ reply: borrowing RedisValue) throws(StoreError) {
    guard let status = Status(rawValue: try reply.element(0) { value throws(StoreError) in try value.string() } ?? ""),
      let due = try reply.element(2, { value in value.integer }),
      let time = try reply.element(3, { value in value.integer }),
      let version = try reply.element(4, { value in value.integer })
    else { throw .unexpectedReply }
    self.status = status
    catalogueVersion = try reply.element(1) { value throws(StoreError) in try value.catalogueVersion() }
    isCookieDue = due == 1
    self.time = time
    self.version = version
    retryAfter = status == .limited ? Int(try reply.element(5) { value in value.integer } ?? 1) : 0
  }
}

extension RedisValue {
  /// The catalogue's version; `nil` where there is none.
  borrowing func catalogueVersion() throws(StoreError) -> Int64? {
    if isNull { return nil }
    guard let number = try withBytes({ span in Int64(decimal: span) }) ?? nil else {
      throw StoreError(.corrupt, "Redis: the catalogue's version")
    }
    return number
  }
}
