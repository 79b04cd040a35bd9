package import CartDomain

// How the catalogue gets into Redis. What stands there is never older than its stamp says; a product that does not
// stand there is asked of PostgreSQL. So every step may be left out, repeated or done by two at once.

/// What Redis holds of a product: `revision|stock|catalogueVersion|moved`, the stock empty where it is not counted. Generation
/// and number of the last movement stand for those who write it.
struct CatalogueEntry: Equatable, Sendable {
  var revision: RevisionID
  var stock: Int?

  /// `nil` for garbage.
  init?(_ bytes: Span<UInt8>) {
    var parts = PipeSeparated()
    guard let revision = parts.text(bytes).flatMap(RevisionID.init), let stock = parts.range(bytes) else { return nil }
    self.revision = revision
    if !stock.isEmpty {
      guard let pieces = Int64(decimal: bytes.extracting(stock)) else { return nil }
      self.stock = Int(pieces)
    }
  }

  static func text(ofStock stock: Int?) -> String { stock.map { String(max(0, $0)) } ?? "" }

  static func text(of product: Product) -> String {
    "\(product.revision.id.text)|\(text(ofStock: product.stock))|\(product.catalogueVersion)|\(product.moved)"
  }
}

extension RedisCatalogue {
  /// So many products go into one command.
  private static let batch = 500

  /// Brings Redis up to PostgreSQL's catalogue: all that changed since the catalogue version that Redis has, then the new
  /// catalogue version. Does nothing where Redis is up to date.
  ///
  /// - Parameter anew: all of it, because PostgreSQL was put back: the catalogue version does not tell of stock that orders had
  ///   moved since, and Redis would hold the later movement for the truth.
  /// - Returns: the number of products that were sent.
  @discardableResult
  package func publish(anew: Bool = false) throws(StoreError) -> Int {
    var (sent, place) = try publish(from: nil, anew: anew, until: .max)
    while let next = place {
      let (more, end) = try publish(from: next, until: .max)
      (sent, place) = (sent + more, end)
    }
    return sent
  }

  /// Does a part of ``publish(anew:)``.
  ///
  /// - Parameters:
  ///   - place: where a former call has stopped, whoever made it; `nil` at the beginning. If Redis was emptied since, what
  ///     it has lost is asked of PostgreSQL when it is missed.
  ///   - deadline: of the monotonic clock, in milliseconds; what is begun is ended.
  /// - Returns: the number of products that were sent, and where to go on; `nil` if Redis is up to date.
  func publish(
    from place: String?, anew: Bool = false, until deadline: Int64
  ) throws(StoreError) -> (sent: Int, next: String?) {
    try needOwn()
    var begun = place.flatMap { PublishingRound($0) }
    if begun == nil { begun = try beginRound(anew: anew) }
    guard var round = begun else { return (0, nil) }
    var sent = 0
    repeat {
      let (products, next) = try source.changed(after: round.place)
      try send(products, target: round.target)
      sent += products.count
      guard let next else {
        let keys = [connection.keys.published, connection.keys.catalogueVersion]
        _ = try run(.advance, keys: keys, first: String(round.target), [])
        invalidateCatalogueVersion()
        return (sent, nil)
      }
      round.place = next
    } while RedisClock.monotonic < deadline
    return (sent, round.text)
  }

  /// - Returns: `nil` where Redis is up to date.
  private func beginRound(anew: Bool) throws(StoreError) -> PublishingRound? {
    let target = try source.catalogueVersion()
    let replies = try connection.exchange(
      [RedisCommand("GET", connection.keys.published), RedisCommand("GET", connection.keys.catalogueVersion)],
      .idempotent)
    let present = try replies.read(0) { value throws(StoreError) in try value.catalogueVersion() }
    let token = try replies.read(1) { value throws(StoreError) in try value.catalogueVersion() }
    if present == target, token != nil, !anew { return nil }
    var since = present ?? 0
    if present == nil || token == nil || since > target || anew {
      try restart(from: present, at: target)
      since = 0
    }
    return PublishingRound(target: target, place: CataloguePlace(after: since))
  }

  private func send(_ products: [Product], target: Int64) throws(StoreError) {
    for start in stride(from: 0, to: products.count, by: Self.batch) {
      let batch = products[start..<min(start + Self.batch, products.count)]
      try keep(revisions: batch.map(\.revision))
      let keys = [connection.keys.published, connection.keys.catalogue]
      _ = try run(.publish, keys: keys, first: String(target), batch)
    }
  }

  /// Makes known the stock that has moved: every worker sees it with the next answer of Redis. PostgreSQL's catalogue version
  /// stays, so that orders don't wait for each other to raise it.
  ///
  /// - Returns: of how many products Redis had an older stock.
  @discardableResult
  package func publishStock(_ moved: [StockMovement]) throws(StoreError) -> Int {
    let calls = publishing(moved)
    if calls.isEmpty { return 0 }
    try needOwn()
    let replies = try connection.evaluate(calls, .idempotent)
    var sent = 0
    for index in calls.indices {
      try replies.check(index)
      sent += Int(try replies.read(index) { value in value.integer } ?? 0)
    }
    if sent > 0 { invalidateCatalogueVersion() }
    return sent
  }

  /// What ``publishStock(_:)`` sends; afterwards the catalogue version must be invalidated.
  func publishing(_ moved: [StockMovement]) -> [RedisScriptCall] {
    stride(from: 0, to: moved.count, by: Self.batch).map { start in
      var arguments = RedisCommand()
      for movement in moved[start..<min(start + Self.batch, moved.count)] {
        arguments.append(movement.sku.text)
        arguments.append(CatalogueEntry.text(ofStock: movement.stock))
        arguments.append(movement.moved)
      }
      return RedisScriptCall(
        .moveStock, keys: [connection.keys.catalogue, connection.keys.catalogueVersion], arguments: arguments)
    }
  }

  /// Starts Redis's copy anew, empty, at a catalogue version of PostgreSQL's: Redis has none, or one that PostgreSQL has not
  /// reached because it was put back.
  func restart(from present: Int64?, at catalogueVersion: Int64) throws(StoreError) {
    var arguments = RedisCommand(present.map { String($0) } ?? "")
    arguments.append(catalogueVersion)
    let keys = [connection.keys.published, connection.keys.catalogue, connection.keys.catalogueVersion]
    let replies = try connection.evaluate(.reset, keys: keys, arguments: arguments, .idempotent)
    try replies.check(0)
  }

  /// Lets Redis keep revisions; they never change.
  func keep(revisions: [ProductRevision]) throws(StoreError) {
    if revisions.isEmpty { return }
    var command = RedisCommand("HSET", connection.keys.revisions)
    for revision in revisions {
      command.append(revision.id.text)
      command.append(RevisionCodec.encode(revision.content))
    }
    let replies = try connection.exchange(command, .idempotent)
    try replies.check(0)
  }

  /// Lets Redis keep what PostgreSQL answered, if the catalogue stands where it did before.
  func fill(_ products: [Product], at catalogueVersion: Int64) throws(StoreError) {
    let keys = [connection.keys.catalogueVersion, connection.keys.catalogue]
    _ = try run(.fill, keys: keys, first: String(catalogueVersion), products[...])
  }

  private func run(
    _ script: RedisScript, keys: [String], first: String, _ products: ArraySlice<Product>
  ) throws(StoreError) -> Int {
    var arguments = RedisCommand(first)
    for product in products {
      arguments.append(product.content.sku.text)
      arguments.append(CatalogueEntry.text(of: product))
    }
    let replies = try connection.evaluate(script, keys: keys, arguments: arguments, .idempotent)
    try replies.check(0)
    return Int(try replies.read(0) { value in value.integer } ?? 0)
  }
}

/// How far the publishing of a catalogue version has come.
private struct PublishingRound {
  let target: Int64
  var place: CataloguePlace

  init(target: Int64, place: CataloguePlace) {
    self.target = target
    self.place = place
  }

  var text: String { "\(target)|\(place.catalogueVersion)|\(place.sku)" }

  /// Reads ``text``; `nil` for anything else.
  init?(_ text: String) {
    let parts = text.split(separator: "|", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, let target = Int64(parts[0]), let catalogueVersion = Int64(parts[1]) else { return nil }
    self.init(target: target, place: CataloguePlace(catalogueVersion: catalogueVersion, sku: String(parts[2])))
  }
}
