package import CartDomain

/// Places orders: what a cart holds becomes an order, once for each key.
///
/// One transaction in PostgreSQL takes hold of the key, persists the cart, judges the order by what is sold and what is
/// left, and writes it together with the command by which the ordered quantities leave the cart; the last thing before
/// its commit is to take the stock, and where less is left by then, all of it is undone and judged anew. After its commit
/// the command is carried to Redis, by the checkout or, if that dies, by whoever meets the cart next. A cart that
/// PostgreSQL commands to do something that it has not done yet does that first: what it holds may be ordered already.
package final class Checkout {
  let restorer: CartRestorer
  let persister: CartPersister
  let merger: CartMerger
  let catalogue: RedisCatalogue
  package let book: PostgresOrders
  /// For so many seconds a shopper may cancel an order.
  let cancelWithin: Int
  /// Asked before a transaction that locks stock, and told after it; where it may not begin, too many others are at it.
  package var mayBegin: (_ isLikelySlow: Bool) -> Bool = { _ in true }
  package var didEnd: () -> Void = {}
  private var held = HeldStock()
  /// Called between the commit of an order and what follows it, and between other steps; tests fail there.
  var atStep: (Step) throws(StoreError) -> Void = { _ in }

  /// Where a checkout may be interrupted.
  enum Step: CaseIterable {
    case beforeTransaction, beforeStock, beforeCommit, afterCommit, afterDelivery
  }

  private var carts: RedisCarts { restorer.carts }
  private var archive: PostgresCarts { restorer.archive }

  package init(
    _ restorer: CartRestorer, persister: CartPersister, merger: CartMerger, catalogue: RedisCatalogue,
    cancelWithin: Int
  ) {
    self.restorer = restorer
    self.persister = persister
    self.merger = merger
    self.catalogue = catalogue
    self.cancelWithin = cancelWithin
    book = PostgresOrders(restorer.archive)
  }

  /// A cart at rest, as an order may be made of it.
  struct Snapshot {
    var hash: CartHash
    var usedAt: Timestamp
    var history: RedisHistory
  }

  /// How an attempt ended.
  enum Attempt {
    case decided(OrderOutcome)
    case replay(OrderID)
    case written(PostgresOrders.Written)
    /// Something was not what it seemed.
    case startOver
    /// Redis must be told first what became of its copy, which PostgreSQL did not take.
    case settleFirst(PostgresCarts.Written)
    /// The cart must follow its commands first.
    case deliverFirst
    /// Less is left of something than a moment ago.
    case stockGone

    /// Whether what was written on the way here stays.
    var isKept: Bool {
      switch self {
      case .written, .startOver, .settleFirst, .deliverFirst: true
      case .decided, .replay, .stockGone: false
      }
    }
  }

  package func place(_ request: OrderRequest) throws(StoreError) -> OrderOutcome {
    var contended = 0
    return try retrying(Self.attempts, "the cart", .overloaded) { () throws(StoreError) -> Attempted<OrderOutcome> in
      guard let snapshot = try snapshot(of: request.owner) else { return .done(Self.outcomeOfNothing(request)) }
      try atStep(.beforeTransaction)
      do throws(StoreError) {
        switch try attempt(request, snapshot) {
        case .decided(let outcome): return .done(outcome)
        case .replay(let id): return .done(try replay(id, request))
        case .written(let written): return .done(.placed(try finish(written, snapshot)))
        case .startOver, .stockGone: break
        case .settleFirst(let written): try settle(written, snapshot)
        case .deliverFirst: try restorer.followCommands(request.owner)
        }
      } catch {
        contended += 1
        guard error.code == .overloaded, contended < PostgresOrders.attempts else { throw error }
      }
      return .again
    }
  }

  private static let attempts = 40

  private func settle(_ written: PostgresCarts.Written, _ snapshot: Snapshot) throws(StoreError) {
    var report = CartPersister.Report()
    try persister.applyOutcome([snapshot.hash], written, in: snapshot.history, &report)
  }

  // MARK: The cart

  /// - Returns: `nil` for a guest whose id is spent.
  private func snapshot(of owner: CartOwner) throws(StoreError) -> Snapshot? {
    try retrying(Self.attempts, "the cart") { () throws(StoreError) -> Attempted<Snapshot?> in
      let history = try carts.histories.current()
      guard case .current(let hash, let usedAt) = try carts.read([owner], in: history)[0] else {
        if try restorer.restore([owner]).absent == 0 { return .again }
        // A key may have been used all the same.
        let nothing = CartHash(cart: Cart(owner: owner))
        return .done(
          owner.isGuest ? nil : Snapshot(hash: nothing, usedAt: carts.connection.now, history: history))
      }
      switch hash.state {
      case .open: return .done(Snapshot(hash: hash, usedAt: usedAt, history: history))
      case .merged: return .done(nil)
      case .merging:
        try merger.end(owner)
        return .again
      }
    }
  }

  private static func outcomeOfNothing(_ request: OrderRequest) -> OrderOutcome {
    var request = request
    if let skus = request.skus, skus.isEmpty { request.skus = nil }
    return check(request, Cart(owner: request.owner)) ?? .nothingToOrder
  }

  /// The checks that need nothing but the cart; `nil` where it stands them.
  private static func check(_ request: OrderRequest, _ cart: Cart) -> OrderOutcome? {
    if !request.conditions.allSatisfy({ $0.holds(for: cart.version) }) { return .versionMismatch }
    let missing = (request.skus ?? []).filter { cart[$0] == nil }
    if !missing.isEmpty { return .lineNotFound(missing) }
    return ordered(request, cart).lines.isEmpty ? .nothingToOrder : nil
  }

  /// The cart with only the lines that are to be ordered.
  private static func ordered(_ request: OrderRequest, _ cart: Cart) -> Cart {
    var ordered = cart
    let named = request.skus.map(Set.init)
    ordered.lines.removeAll { line in named.map { !$0.contains(line.sku) } ?? !line.isSelected }
    // Whoever names a line wants it.
    for index in ordered.lines.indices { ordered.lines[index].isSelected = true }
    return ordered
  }

  // MARK: The transaction

  private func attempt(_ request: OrderRequest, _ snapshot: Snapshot) throws(StoreError) -> Attempt {
    let id = OrderID.random()
    let skus = Self.ordered(request, snapshot.hash.cart).lines.map(\.sku)
    let isHeld = held.contains(anyOf: skus)
    var isTaking = false
    do throws(StoreError) {
      return try admitted(isLikelySlow: isHeld) { () throws(StoreError) in
        try archive.inTransaction(lockTimeout: patience(isHeld), uncertain: true, keeping: \.isKept) {
          () throws(StoreError) in
          let attempt = try transact(request, snapshot, id, &isTaking)
          if isHeld, case .written = attempt { held.remove(skus) }
          try atStep(.beforeCommit)
          return attempt
        }
      }
    } catch {
      if isTaking, error.code == .overloaded { held.insert(skus) }
      guard error.isOutcomeUnknown else { throw error }
      return try decide(request, error)
    }
  }

  /// For a lock, in milliseconds.
  private func patience(_ isHeld: Bool) -> Int {
    min(archive.connection.configuration.rowLockTimeout, isHeld ? Self.shortPatience : .max)
  }

  /// As long as it takes where everybody goes on as he should.
  private static let shortPatience = 25

  /// Runs what waits for others' locks, where not too many are at it.
  private func admitted<Answer>(
    isLikelySlow: Bool = false, _ body: () throws(StoreError) -> Answer
  ) throws(StoreError) -> Answer {
    guard mayBegin(isLikelySlow) else { throw Self.crowded }
    defer { didEnd() }
    return try body()
  }

  private static let crowded = StoreError(.overloaded, "as many workers are in orders as may be")

  /// Asks, on a new connection, what became of a commit that got no answer. It is never repeated unasked: where the
  /// lost transaction may still be at work, it holds the key, and nobody can tell.
  func decide(_ request: OrderRequest, _ error: StoreError) throws(StoreError) -> Attempt {
    archive.connection.close()
    let claim: PostgresOrders.Claim
    do throws(StoreError) {
      claim = try archive.inTransaction { () throws(StoreError) in try book.claim(request.key, of: request.owner) }
    } catch _ {
      throw error
    }
    switch claim {
    case .used(let id): return .replay(id)
    case .free: return .startOver
    case .taken, .reused: throw error
    }
  }

  private func transact(
    _ request: OrderRequest, _ snapshot: Snapshot, _ id: OrderID, _ isTaking: inout Bool
  ) throws(StoreError) -> Attempt {
    let (hash, owner) = (snapshot.hash, request.owner)
    if let refusal = Self.check(request, hash.cart) {
      let claim = try book.claim(request.key, of: owner)
      return Self.obstacle(claim) ?? .decided(refusal)
    }
    let ordered = Self.ordered(request, hash.cart)
    switch try book.prepare(
      request.key, of: owner, hash, usedAt: snapshot.usedAt, ordered.lines.map(\.sku), in: snapshot.history)
    {
    case .claimed(let claim): return Self.obstacle(claim) ?? .startOver
    case .notPersisted:
      // The row is locked, and why is known by asking.
      return .settleFirst(try archive.persist([(hash, snapshot.usedAt)]))
    case .ready(let ground):
      guard ground.lastCommand <= hash.inboxNumber else { return .deliverFirst }
      return try sell(request, ordered, id, ground, &isTaking)
    }
  }

  /// How an attempt ends whose key is not free.
  private static func obstacle(_ claim: PostgresOrders.Claim) -> Attempt? {
    switch claim {
    case .free: nil
    case .taken: .decided(.inProgress)
    case .used(let id): .replay(id)
    case .reused: .decided(.keyReused)
    }
  }

  /// Prices, dates, limits and stock as they are at this moment; then the order.
  private func sell(
    _ request: OrderRequest, _ cart: Cart, _ id: OrderID, _ ground: PostgresOrders.OrderInputs, _ isTaking: inout Bool
  ) throws(StoreError) -> Attempt {
    let revisions = try revisions(of: ground.offers)
    let products = cart.lines.map { line in
      ground.offers[line.sku].flatMap { offer in
        revisions[offer.revision].map { Product(revision: $0, stock: offer.stock) }
      }
    }
    let limited = products.compactMap { $0?.content.customerLimit == nil ? nil : $0?.content.sku }
    let bought = try book.purchases(of: request.owner, limited)
    let view = CartView(
      cart, products: products, snapshots: products.map { $0?.revision }, at: carts.connection.now, bought: bought)
    var problems = view.problems
    let total = view.totals.selected
    if problems.isEmpty, total > Money.maximumTotal || total < 0 { problems = [Violation(.totalTooLarge)] }
    if !problems.isEmpty { return .decided(.refused(problems)) }
    if total != request.expectedTotal { return .decided(.totalChanged(total)) }
    guard let currency = cart.currency else { throw PostgresOrders.corrupt }
    var lines: [OrderLine] = []
    for (line, product) in zip(cart.lines, products) {
      guard let content = product?.content else { throw PostgresOrders.corrupt }
      lines.append(
        OrderLine(
          sku: line.sku, merchantID: content.merchantID, name: content.name, picture: content.picture,
          quantity: line.quantity, unitPrice: content.unitPrice.minorUnits, clientData: line.clientData))
    }
    let order = Order(
      id: id, owner: request.owner, total: Money(minorUnits: total, currency: currency),
      clientData: request.clientData, lines: lines, placedAt: carts.connection.now, cartVersion: cart.version + 1)
    let taken = cart.lines.map { TakenLine(sku: $0.sku, quantity: $0.quantity, born: $0.born) }
    let draft = PostgresOrders.Draft(
      order: order, products: products.compactMap { $0 }, key: request.key, command: .take(taken),
      lastCommand: ground.lastCommand, requestID: request.requestID)
    try atStep(.beforeStock)
    isTaking = true
    switch try book.write(draft) {
    case .written(let written): return .written(written)
    case .keyUsed: return .startOver
    case .stockGone: return .stockGone
    }
  }

  /// Revisions never change, so that a copy will do.
  private func revisions(
    of offers: [SKU: PostgresOrders.Offer]
  ) throws(StoreError) -> [RevisionID: ProductRevision] {
    var found: [RevisionID: ProductRevision] = [:]
    for revision in try catalogue.revisions(offers.values.map(\.revision)) {
      if let revision { found[revision.id] = revision }
    }
    return found
  }

  // MARK: After it

  /// The order stands. What follows may fail or be left out: others do it then.
  private func finish(
    _ written: PostgresOrders.Written, _ snapshot: Snapshot
  ) throws(StoreError) -> Order {
    try atStep(.afterCommit)
    // In one round trip. The syncer looks after what could not be told.
    var order = written.order
    let publishing = catalogue.publishing(written.moved)
    catalogue.invalidateCatalogueVersion()
    if let version = try? carts.apply(written.command, to: snapshot.hash, in: snapshot.history, after: publishing) {
      try atStep(.afterDelivery)
      correct(&order, cartVersion: version)
    } else if let version = clean(order.owner, following: written.command.number) {
      correct(&order, cartVersion: version)
    }
    return order
  }

  /// Has a cart do all that it is commanded, such as to let go of what was ordered; others do it where this fails.
  ///
  /// - Returns: its version after the command of this number, if it followed that here.
  @discardableResult
  private func clean(_ owner: CartOwner, following number: Int64? = nil) -> Int64? {
    guard let applied = try? restorer.followCommands(owner) else { return nil }
    return applied.first { $0.command.number == number }
      .map { $0.before.applying($0.command.command, uniting: JSONUnion.unite).version }
  }

  /// An order says that the clean-up is the cart's next change. Where another came between, that is corrected. What the
  /// order says is what PostgreSQL has, so that every answer says the same.
  private func correct(_ order: inout Order, cartVersion: Int64) {
    if order.cartVersion == cartVersion { return }
    do throws(StoreError) {
      try book.note(cartVersion: cartVersion, of: order.id)
      order.cartVersion = cartVersion
    } catch {
      // It may have been written all the same.
      if let found = try? book.order(order.id) { order.cartVersion = found.cartVersion }
    }
  }

  private func replay(_ id: OrderID, _ request: OrderRequest) throws(StoreError) -> OrderOutcome {
    guard let order = try book.order(id) else { throw PostgresOrders.corrupt }
    // A guest's orders may be a user's by now; the guest is spent then, and does not come here.
    guard order.owner == request.owner else { return .nothingToOrder }
    clean(order.owner)
    return .replayed(order)
  }
}

@available(*, unavailable)
extension Checkout: Sendable {}

// MARK: - The book

extension Checkout: OrderBook {
  package func order(_ id: OrderID, of owner: CartOwner) throws(StoreError) -> Order? {
    guard let order = try book.order(id), order.owner == owner else { return nil }
    return order
  }

  package func orders(
    of owner: CartOwner, before: OrderCursor?, limit: Int
  ) throws(StoreError) -> OrderPage {
    try book.orders(of: owner, before: before, limit: limit)
  }

  package func cancel(_ id: OrderID, of owner: CartOwner) throws(StoreError) -> OrderTransition {
    let (transition, moved) = try admitted { () throws(StoreError) in
      try book.cancel(id, by: .owner(owner, within: cancelWithin))
    }
    // Where Redis can't be told, the syncer does it.
    _ = try? catalogue.publishStock(moved)
    return transition
  }

  package func purchases(of owner: CartOwner, _ skus: [SKU]) throws(StoreError) -> [SKU: Int] {
    try book.purchases(of: owner, skus)
  }
}
