import CartDomain

@testable import CartStores

/// Plays the same steps to the reference and to Redis, and tells where they part.
struct ModelRun {
  private let schema: PostgresSchema
  private let postgres: PostgresConnection

  init() throws {
    schema = try PostgresSchema()
    postgres = try schema.connection()
  }

  /// The first difference; `nil` where there is none.
  func difference(_ steps: [ModelStep]) throws -> String? {
    let shop = Shop()
    let reference = InMemoryCartStore(catalogue: shop.reference) { RealTime.now }
    let configuration = try RedisTesting.configuration()
    let connection = RedisConnection(configuration)
    defer { try? connection.removeAll() }
    let store = StoreGraph(connection, postgres, source: shop, cachedProducts: 8).store
    let publisher = StoreGraph(RedisConnection(configuration), postgres, source: shop).catalogue
    let owners = [CartOwner.anyUser(), .anyGuest(), .anyGuest()]
    // An id that was looked for before it was new is spent.
    var lookedFor: Set<Int> = []
    for (number, step) in steps.enumerated() {
      var left: Seen
      var right: Seen
      switch step {
      case .sell(let sku, let terms):
        shop.put(sku, terms)
        // The store finds out by itself that its catalogue is not the current one.
        try publisher.publish()
        continue
      case .stock(let sku, let stock):
        shop.setStock(stock, of: sku)
        try publisher.publish()
        continue
      case .read(let owner):
        lookedFor.insert(owner)
        left = Seen(try reference.cart(of: owners[owner]))
        right = Seen(try store.cart(of: owners[owner]))
      case .change(let change):
        let owner = owners[change.owner]
        let version = try reference.cart(of: owner).cart.version
        var request = change.request(owner: owner, version: version)
        // An id is new in the request that makes its cart, and in no other.
        let isAdd = if case .add = request.change { true } else { false }
        request.isNewGuest = request.isNewGuest && isAdd && !lookedFor.contains(change.owner)
        if !request.isNewGuest { lookedFor.insert(change.owner) }
        left = Seen(try reference.change(request))
        right = Seen(try store.change(request))
      }
      if left != right { return "step \(number): \(step)\nreference \(left)\nredis     \(right)" }
    }
    for owner in owners {
      let left = Seen(try reference.cart(of: owner))
      let right = Seen(try store.cart(of: owner))
      if left != right { return "at the end\nreference \(left)\nredis     \(right)" }
      if let difference = try EventReplay(connection).difference(from: owner) { return difference }
    }
    return nil
  }

  /// Fewer steps that still differ: as many as possible are taken out, in ever smaller pieces.
  func shrunk(_ steps: [ModelStep]) throws -> [ModelStep] {
    var steps = steps
    var size = steps.count / 2
    while size > 0 {
      var start = 0
      while start < steps.count {
        var fewer = steps
        fewer.removeSubrange(start..<min(start + size, steps.count))
        if try difference(fewer) != nil { steps = fewer } else { start += size }
      }
      size /= 2
    }
    return steps
  }
}

/// An answer without the stamps that two clocks can't agree on.
struct Seen: Equatable {
  var outcome: ChangeReading.Outcome?
  var cart: Cart
  var hasEnd: Bool
  var isGone: Bool
  var isCookieDue: Bool
  var isInOrder: Bool

  init(_ answer: ChangeReading) {
    self.init(answer.reading)
    outcome = answer.outcome
  }

  init(_ reading: CartReading) {
    cart = reading.cart
    hasEnd = cart.expiresAt != nil
    isGone = reading.isGone
    isCookieDue = reading.isCookieDue
    let stamps = cart.lines.map(\.born)
    isInOrder = zip(stamps, stamps.dropFirst()).allSatisfy(<) && (stamps.last ?? 0) <= cart.clock
    cart.expiresAt = nil
    cart.clock = 0
    for index in cart.lines.indices { cart.lines[index].born = 0 }
  }
}

/// Builds carts from the events of the stream alone.
struct EventReplay {
  private let connection: RedisConnection

  init(_ connection: RedisConnection) { self.connection = connection }

  /// How the sum of a cart's events differs from the cart; `nil` where it doesn't.
  func difference(from owner: CartOwner) throws -> String? {
    let cart = try connection.hash(of: owner)?.cart ?? Cart(owner: owner)
    var lines: [SKU: LineItem] = [:]
    var version: Int64 = 0
    for event in try connection.events() where event.owner == owner {
      version += 1
      if event.version != version { return "event \(event.id): version \(event.version), not \(version)" }
      if event.touches == 0 { return "event \(event.id): touches nothing" }
      for touch in event.touched {
        if lines[touch.sku] != touch.before { return "event \(event.id): before is not what was" }
        lines[touch.sku] = touch.after
      }
      if let selection = event.selection {
        for sku in selection.skus {
          if lines[sku]?.isSelected == selection.isSelected { return "event \(event.id): \(sku) was so before" }
          lines[sku]?.isSelected = selection.isSelected
          lines[sku]?.version = version
        }
      }
    }
    if version != cart.version { return "\(version) events, version \(cart.version)" }
    let sum = lines.values.sorted { $0.born < $1.born }
    return sum == cart.lines ? nil : "the events make \(sum), the cart is \(cart.lines)"
  }
}

extension ModelStep.ModelChange {
  func request(owner: CartOwner, version: Int64) -> ChangeRequest {
    let condition: VersionCondition? =
      switch condition {
      case .written: .written
      case .near(let offsets): .oneOf(offsets.map { version + $0 })
      case nil: nil
      }
    return ChangeRequest(
      owner: owner, change: change, isNewGuest: isNewGuest, condition: condition,
      retryKey: key.map { RetryKey($0.key, request: $0.request) }, requestID: "model")
  }
}

extension Shop {
  func put(_ sku: SKU, _ terms: ModelStep.Terms) {
    put(sku, price: terms.price, currency: terms.currency, stock: terms.stock, merchant: terms.merchant) { content in
      content.purchaseLimit = terms.purchaseLimit
      content.customerLimit = terms.customerLimit
      content.minimumQuantity = terms.minimum
      content.quantityStep = terms.step
      content.availableFrom = terms.from.map { Timestamp(seconds: $0) }
      content.availableUntil = terms.until.map { Timestamp(seconds: $0) }
      content.isActive = terms.isActive
    }
  }
}
