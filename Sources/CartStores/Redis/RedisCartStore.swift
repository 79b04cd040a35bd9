package import CartDomain

/// Carts in Redis: one hash each, one script and one round trip for each change.
package final class RedisCartStore: CartStore {
  private let connection: RedisConnection
  private let catalogue: RedisCatalogue
  private let history: RedisHistory

  /// - Parameters:
  ///   - catalogue: shares the connection, so that what one learns of Redis the other knows.
  ///   - history: the history of Redis that carts must be of.
  package init(catalogue: RedisCatalogue, history: RedisHistory = .unregistered) {
    self.connection = catalogue.connection
    self.catalogue = catalogue
    self.history = history
  }

  package func cart(of owner: CartOwner) throws(StoreError) -> CartReading {
    guard let hash = try read(owner), hash.state != .merged else {
      return CartReading(cart: Cart(owner: owner), isSpent: owner.isGuest)
    }
    let renewed = hash.cookieRenewedSecond * 1000 + Cart.renewalIntervalMilliseconds
    guard owner.isGuest, connection.now.milliseconds >= renewed else { return CartReading(cart: hash.cart) }
    // A cart that can be read but not renewed is shown all the same.
    guard let answer = try? run(.touch, RedisCommand(), on: CartTerms(owner: owner)), let touched = answer.hash else {
      return CartReading(cart: hash.cart)
    }
    return CartReading(cart: touched.cart, isCookieDue: answer.isCookieDue)
  }

  /// Reads a cart for an operator: nobody used it, so nothing is renewed.
  package func peek(at owner: CartOwner) throws(StoreError) -> CartReading {
    guard let hash = try read(owner), hash.state != .merged else {
      return CartReading(cart: Cart(owner: owner), isSpent: owner.isGuest)
    }
    return CartReading(cart: hash.cart)
  }

  package func change(_ request: ChangeRequest) throws(StoreError) -> ChangeReading {
    let owner = request.owner
    let started = RedisClock.monotonic
    var otherGenerations = 0
    var wasLate = false
    while true {
      let skus = try skusToLookUp(for: request)
      let (products, generation) = skus.isEmpty ? ([:], nil) : try lookUp(skus)
      let now = try connection.currentTime()
      let arguments = ChangeArguments(request.change, products: products, at: now)
      var terms = CartTerms(request)
      // After two catalogues that were not the current one the third is taken as it is.
      if otherGenerations < 2 { terms.generation = generation }
      let answer = try run(arguments.script, arguments.words, on: terms)
      let cart = answer.hash?.cart ?? Cart(owner: owner)
      func reading(_ outcome: ChangeReading.Outcome) -> ChangeReading {
        ChangeReading(outcome: outcome, reading: CartReading(cart: cart, isCookieDue: answer.isCookieDue))
      }
      switch answer.status {
      case .changed: return reading(.changed)
      case .unchanged: return reading(.unchanged)
      case .replayed: return reading(.replayed)
      case .keyReused: return reading(.keyReused)
      case .versionMismatch: return reading(.versionMismatch)
      case .lineNotFound: return reading(.lineNotFound)
      case .refused:
        guard case .refused(let violations) = cart.applying(request.change, at: now, product: { products[$0] }) else {
          throw StoreError(.corrupt, "Redis: a script refused what the rules allow")
        }
        return reading(.refused(violations))
      case .absent:
        if try !restore(owner, .absent) { return changeOfNothing(request) }
      case .merged: return Self.spent(owner)
      case .merging: throw StoreError(.unavailable, "the cart is being merged")
      case .stale: _ = try restore(owner, .stale)
      case .otherGeneration: otherGenerations += 1
      case .late:
        // Redis's clock was not where it was thought to be; by now it is known.
        guard !wasLate, RedisClock.monotonic - started < connection.timeoutMilliseconds else {
          throw StoreError(.unavailable, "Redis: came too late to a change")
        }
        wasLate = true
      }
    }
  }
}

/// The history of Redis that a worker goes by, as PostgreSQL has registered it.
package struct RedisHistory: Equatable, Sendable {
  /// The number of the history; a cart of another is compared with PostgreSQL before it is served.
  package var lineage: Int64
  /// The epoch of carts that come into being.
  package var epoch: Int64

  package init(lineage: Int64, epoch: Int64) {
    self.lineage = lineage
    self.epoch = epoch
  }

  /// Nobody has registered a history.
  package static let unregistered = RedisHistory(lineage: 0, epoch: 0)
}

extension RedisCartStore {
  /// Reads a cart, and the catalogue's generation in the same round trip.
  private func read(_ owner: CartOwner) throws(StoreError) -> CartHash? {
    let commands = [
      RedisCommand("HGETALL", connection.keys.cart(of: owner)), RedisCommand("GET", connection.keys.generation),
    ]
    while true {
      let replies = try connection.exchange(commands, .reading)
      catalogue.note(generation: try replies.read(1) { value throws(StoreError) in try value.generation() })
      let hash = try replies.read(0) { fields throws(StoreError) in try CartHash(owner: owner, fields: fields) }
      if let hash, hash.lineage == history.lineage { return hash }
      if try !restore(owner, hash == nil ? .absent : .stale) { return nil }
    }
  }

  /// Runs a script on a cart.
  private func run(
    _ script: RedisScript, _ words: RedisCommand, on terms: CartTerms
  ) throws(StoreError) -> ScriptAnswer {
    _ = try connection.currentTime()
    var arguments = terms.words(history: history, deadline: connection.deadline)
    arguments.append(words: words)
    let sent = RedisClock.monotonic
    let keys = connection.keys.forChange(of: terms.owner)
    let replies = try connection.evaluate(script, keys: keys, arguments: arguments, .changing)
    try replies.check(0)
    let answer: ScriptAnswer
    do throws(StoreError) {
      answer = try replies.read(0) { value throws(StoreError) in try ScriptAnswer(owner: terms.owner, value) }
    } catch {
      // The script has run; what it made can't be read.
      throw StoreError(error.code, error.message, isOutcomeUnknown: true)
    }
    connection.learnTime(answer.time, sent: sent)
    catalogue.note(generation: answer.generation)
    return answer
  }

  /// Why Redis can't tell what a cart is.
  private enum Gap {
    case absent
    /// It is of another history of Redis, and may be older than what is kept elsewhere.
    case stale
  }

  /// Where Redis has no cart, or none that may be trusted, every path comes here: the place to bring it back from where
  /// it is kept for good.
  ///
  /// - Returns: whether Redis has it now, so that it is worth looking again; `false` where there is no such cart.
  private func restore(_ owner: CartOwner, _ gap: Gap) throws(StoreError) -> Bool {
    switch gap {
    case .absent: return false
    case .stale: throw StoreError(.unavailable, "Redis: a cart of another history")
    }
  }

  private func lookUp(_ skus: [SKU]) throws(StoreError) -> (products: [SKU: Product], generation: Int64?) {
    let (products, generation) = try catalogue.current(skus)
    return (products, generation)
  }

  /// An acknowledgement of what a filter names must know the lines first.
  private func skusToLookUp(for request: ChangeRequest) throws(StoreError) -> [SKU] {
    switch request.change {
    case .acknowledgePrices(.skus(let skus)): skus
    case .acknowledgePrices:
      request.change.skusToLookUp(in: try read(request.owner)?.cart ?? Cart(owner: request.owner))
    default: request.change.skusToLookUp(in: Cart(owner: request.owner))
    }
  }

  /// What a change makes of a cart that does not exist and was not to be made.
  private func changeOfNothing(_ request: ChangeRequest) -> ChangeReading {
    if request.owner.isGuest, !request.isNewGuest { return Self.spent(request.owner) }
    let cart = Cart(owner: request.owner)
    func reading(_ outcome: ChangeReading.Outcome) -> ChangeReading {
      ChangeReading(outcome: outcome, reading: CartReading(cart: cart))
    }
    if let condition = request.condition, !condition.holds(for: cart.version) { return reading(.versionMismatch) }
    if case .edit = request.change { return reading(.lineNotFound) }
    return reading(.unchanged)
  }

  private static func spent(_ owner: CartOwner) -> ChangeReading {
    ChangeReading(outcome: .unchanged, reading: CartReading(cart: Cart(owner: owner), isSpent: owner.isGuest))
  }
}
