package import CartDomain

/// Carts in Redis: one hash each, one script and one round trip for each change.
package final class RedisCartStore: CartStore {
  private let connection: RedisConnection
  private let catalogue: RedisCatalogue
  private let histories: RedisHistories
  private let restorer: CartRestorer
  private let persister: CartPersister
  private let merger: CartMerger
  private let touchLimit: Int
  /// Told of a read that PostgreSQL has answered.
  package var observeArchive: (() -> Void)?

  /// - Parameters:
  ///   - catalogue: shares the connection, so that what one learns of Redis the other knows.
  ///   - touchLimit: lines of a cart that its changes of more than 100 lines may touch in a minute; 0: any number.
  init(persister: CartPersister, merger: CartMerger, catalogue: RedisCatalogue, touchLimit: Int) {
    self.persister = persister
    self.merger = merger
    self.catalogue = catalogue
    self.touchLimit = touchLimit
    restorer = persister.restorer
    histories = restorer.carts.histories
    connection = catalogue.connection
  }

  package func cart(of owner: CartOwner) throws(StoreError) -> CartReading {
    do throws(StoreError) {
      return try cartAtWork(of: owner)
    } catch {
      guard error.code == .unavailable, let reading = archived(owner) else { throw error }
      observeArchive?()
      return reading
    }
  }

  /// The copy in PostgreSQL, where there is one: a cart that was never persisted is not shown as empty.
  private func archived(_ owner: CartOwner) -> CartReading? {
    let archive = restorer.archive
    guard let row = try? archive.row(of: owner) else { return nil }
    if row.hash.state == .merged || row.hash.cart.expiresAt.map({ $0 <= connection.now }) ?? false {
      return CartReading(cart: Cart(owner: owner), isGone: owner.isGuest, isFromArchive: true)
    }
    var cart = row.hash.cart
    if row.lastCommand > row.hash.inboxNumber {
      guard let commands = try? archive.commands(for: owner, after: row.hash.inboxNumber) else { return nil }
      for command in commands { cart = cart.applying(command.command, uniting: JSONUnion.unite) }
    }
    return cart.version == 0 ? nil : CartReading(cart: cart, isFromArchive: true)
  }

  package func sync(_ owner: CartOwner) throws(StoreError) -> Int64 { try persister.sync(owner) }

  package func merge(
    _ guest: GuestCartID, into user: UserID, by strategy: MergeStrategy, retryKey: RetryKey?, requestID: String
  ) throws(StoreError) -> MergeReading {
    try merger.merge(guest, into: user, by: strategy, retryKey: retryKey, requestID: requestID)
  }

  package func precheck(
    _ owner: CartOwner, retryKey: RetryKey?, condition: VersionCondition?
  ) throws(StoreError) -> ChangeReading {
    var header = ScriptHeader(owner: owner)
    header.retryKey = retryKey
    header.condition = condition
    return try retrying(Self.attempts, "the cart") { () throws(StoreError) -> Attempted<ChangeReading> in
      let (answer, hash) = try run(.touch, RedisCommand(), on: header)
      func reading(_ outcome: ChangeReading.Outcome) -> Attempted<ChangeReading> {
        .done(ChangeReading(outcome: outcome, reading: CartReading(cart: hash?.cart ?? Cart(owner: owner))))
      }
      switch answer.status {
      case .replayed: return reading(.replayed)
      case .keyReused: return reading(.keyReused)
      case .versionMismatch: return reading(.versionMismatch)
      case .absent, .stale:
        try restorer.restore([owner])
        return .again
      default: return reading(.unchanged)
      }
    }
  }

  private func cartAtWork(of owner: CartOwner) throws(StoreError) -> CartReading {
    guard let hash = try read(owner), hash.state != .merged else {
      return CartReading(cart: Cart(owner: owner), isGone: owner.isGuest)
    }
    let renewed = hash.cookieRenewedSecond * 1000 + Cart.renewalIntervalMilliseconds
    guard owner.isGuest, connection.now.milliseconds >= renewed else { return CartReading(cart: hash.cart) }
    // A cart that can be read but not renewed is shown all the same.
    guard let (answer, hash) = try? run(.touch, RedisCommand(), on: ScriptHeader(owner: owner)), let touched = hash,
      answer.status == .changed || answer.status == .unchanged
    else {
      return CartReading(cart: hash.cart)
    }
    return CartReading(cart: touched.cart, isCookieDue: answer.isCookieDue)
  }

  package func change(_ request: ChangeRequest) throws(StoreError) -> ChangeReading {
    let owner = request.owner
    let started = RedisClock.monotonic
    var otherVersions = 0
    var wasLate = false
    return try retrying(Self.attempts, "the cart") { () throws(StoreError) -> Attempted<ChangeReading> in
      let skus = try skusToLookUp(for: request)
      let (products, catalogueVersion) = skus.isEmpty ? ([:], nil) : try catalogue.current(skus)
      let now = try connection.currentTime()
      let change = ChangeArguments(request.change, products: products, at: now, touchLimit: touchLimit)
      var header = ScriptHeader(request)
      // After two catalogues that were not the current one the third is taken as it is.
      if otherVersions < 2 { header.catalogueVersion = catalogueVersion }
      let (answer, hash) = try run(change.script, change.arguments, on: header)
      let cart = hash?.cart ?? Cart(owner: owner)
      func reading(_ outcome: ChangeReading.Outcome) -> Attempted<ChangeReading> {
        .done(ChangeReading(outcome: outcome, reading: CartReading(cart: cart, isCookieDue: answer.isCookieDue)))
      }
      switch answer.status {
      case .changed: return reading(.changed)
      case .unchanged: return reading(.unchanged)
      case .replayed: return reading(.replayed)
      case .keyReused: return reading(.keyReused)
      case .versionMismatch: return reading(.versionMismatch)
      case .lineNotFound: return reading(.lineNotFound)
      case .limited: return reading(.limited(seconds: answer.retryAfter))
      case .refused:
        guard case .refused(let violations) = cart.applying(request.change, at: now, product: { products[$0] }) else {
          throw StoreError(.corrupt, "Redis: a script refused what the rules allow")
        }
        return reading(.refused(violations))
      case .absent, .stale:
        try restorer.restore([owner])
      case .merged: return .done(Self.spent(owner))
      case .merging:
        try merger.end(owner)
      case .full: throw StoreError(.unavailable, "Redis: memory is short")
      case .gap, .outdated, .closed, .superseded: throw .unexpectedReply
      case .otherCatalogueVersion: otherVersions += 1
      case .late:
        // Redis's clock was not where it was thought to be; by now it is known.
        guard !wasLate, RedisClock.monotonic - started < connection.timeoutMilliseconds else {
          throw StoreError(.unavailable, "Redis: came too late to a change")
        }
        wasLate = true
      }
      return .again
    }
  }
}

extension RedisCartStore {
  /// Reads a cart, and the catalogue's version in the same round trip.
  private func read(_ owner: CartOwner) throws(StoreError) -> CartHash? {
    let commands = [
      RedisCommand("HGETALL", connection.keys.cart(of: owner)),
      RedisCommand("MGET", connection.keys.catalogueVersion, connection.keys.pressure),
    ]
    return try retrying(Self.attempts, "the cart") { () throws(StoreError) -> Attempted<CartHash?> in
      let found = try histories.within { history throws(StoreError) -> (hash: CartHash?, isCurrent: Bool) in
        let replies = try connection.exchange(commands, .idempotent, in: history.replicationID)
        let (catalogueVersion, gate) = try replies.read(1) { both throws(StoreError) in
          (
            try both.element(0) { value throws(StoreError) in try value.catalogueVersion() },
            try both.element(1) { value throws(StoreError) in RedisGate(try value.string()) }
          )
        }
        catalogue.note(catalogueVersion: catalogueVersion)
        // Another Redis may know this cart in a later state.
        if case .superseded = gate { _ = try histories.handle(.superseded) }
        let hash = try replies.read(0) { fields throws(StoreError) in try CartHash(owner: owner, fields: fields) }
        return (hash, hash?.history == history.number)
      }
      if found.isCurrent { return .done(found.hash) }
      if found.hash == nil, try isKnownAbsent(owner) { return .done(nil) }
      try restorer.restore([owner])
      return .again
    }
  }

  /// Runs a script on a cart; opens Redis for it where it is closed.
  ///
  /// - Returns: its answer, and the cart as it is after it; `nil` where there is none.
  private func run(
    _ script: RedisScript, _ own: RedisCommand, on header: ScriptHeader
  ) throws(StoreError) -> (answer: ScriptAnswer, hash: CartHash?) {
    let keys = connection.keys.forChange(of: header.owner)
    typealias Run = (answer: ScriptAnswer, hash: CartHash?)
    return try retrying(Self.attempts, "the cart") { () throws(StoreError) -> Attempted<Run> in
      _ = try connection.currentTime()
      let sent = RedisClock.monotonic
      let (answer, hash) = try histories.within { history throws(StoreError) in
        var arguments = header.arguments(history: history, deadline: connection.deadline)
        arguments.append(contentsOf: own)
        return try connection.evaluate(script, keys: keys, arguments: arguments, in: history.replicationID) {
          answer, cart throws(StoreError) in
          do throws(StoreError) {
            return (try ScriptAnswer(answer), try CartHash(owner: header.owner, fields: cart))
          } catch {
            // The script has run; what it made can't be read.
            throw StoreError(error.code, error.message, isOutcomeUnknown: true)
          }
        }
      }
      connection.learnTime(answer.time, sent: sent)
      catalogue.note(catalogueVersion: answer.catalogueVersion)
      return try histories.handle(answer.status) ? .again : .done((answer, hash))
    }
  }

  private func isKnownAbsent(_ owner: CartOwner) throws(StoreError) -> Bool {
    try histories.within { history throws(StoreError) in
      try restorer.carts.isKnownAbsent(owner, in: history)
    }
  }

  /// Who is not through by then has met others that bring the same cart back, again and again.
  private static let attempts = 100

  /// An acknowledgement of what a filter names must know the lines first.
  private func skusToLookUp(for request: ChangeRequest) throws(StoreError) -> [SKU] {
    switch request.change {
    case .acknowledgePrices(.skus(let skus)): skus
    case .acknowledgePrices:
      request.change.skusToLookUp(in: try read(request.owner)?.cart ?? Cart(owner: request.owner))
    default: request.change.skusToLookUp(in: Cart(owner: request.owner))
    }
  }

  private static func spent(_ owner: CartOwner) -> ChangeReading {
    ChangeReading(outcome: .unchanged, reading: CartReading(cart: Cart(owner: owner), isGone: owner.isGuest))
  }
}
