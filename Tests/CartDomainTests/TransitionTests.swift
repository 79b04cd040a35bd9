import CartDomain
import TestSupport
import Testing

/// What a change makes of a cart.
@Suite struct Transitions {
  private let products: [SKU: Product]

  init() throws {
    var products: [SKU: Product] = [:]
    for product in [
      try product("A", price: 255), try product("B", price: 100, stock: 5), try product("C") { $0.purchaseLimit = 3 },
      try product("E") { $0.unitPrice = Money(minorUnits: 1, currency: try currency("EUR")) },
    ] { products[product.content.sku] = product }
    self.products = products
  }

  private func apply(_ change: CartChange, to cart: Cart = Cart(owner: nil), at now: Timestamp = opening)
    -> CartTransition
  {
    cart.applying(change, at: now) { products[$0] }
  }

  private func add(_ entries: (String, Int)...) throws -> CartChange {
    .add(try entries.map { LineAddition(sku: try sku($0.0), quantity: $0.1) })
  }

  @Test func anAddMakesALine() throws {
    let cart = try apply(add(("A", 2))).changed()
    #expect(cart.version == 1)
    #expect(cart.currency == (try currency("GBP")))
    let line = try #require(cart[sku("A")])
    #expect(line.quantity == 2)
    #expect(line.isSelected)
    #expect(line.unitPrice == 255)
    #expect(line.addedAt == opening)
    #expect(line.clientData == nil)
  }

  @Test func theSameSKUAddsUpAndLinesKeepTheirOrder() throws {
    let first = try apply(add(("B", 1), ("A", 1), ("B", 2))).changed()
    #expect(first.lines.map(\.sku.text) == ["B", "A"])
    #expect(first.lines.map(\.quantity) == [3, 1])
    let second = try apply(add(("C", 1), ("A", 1)), to: first).changed()
    #expect(second.lines.map(\.sku.text) == ["B", "A", "C"])
    #expect(second.lines.map(\.version) == [1, 2, 2])
    #expect(second.version == 2)
    // The clock gives each new line a moment of its own, also where the store's stands still or goes back.
    #expect(second.lines.map(\.born) == [0, 1, 2].map { opening.milliseconds + $0 })
    let third = try apply(.remove(.skus([sku("C")])), to: second).changed()
    let fourth = try apply(add(("C", 1)), to: third, at: Timestamp(milliseconds: 0)).changed()
    #expect(fourth.lines.last?.born == opening.milliseconds + 3)
  }

  @Test func allOrNothing() throws {
    let cart = try apply(add(("A", 1))).changed()
    let refused = apply(try add(("B", 6), ("A", 1), ("X", 1), ("E", 1)), to: cart)
    #expect(refused.violations.map(\.code) == [.insufficientStock, .unknownSKU, .currencyMismatch])
    #expect(refused.violations.map(\.entry) == [0, 2, 3])
    #expect(apply(try add(("A", 1), ("E", 1))).violations.map(\.code) == [.currencyMismatch])
    let sum = apply(try add(("C", 2), ("A", 1), ("C", 2)), to: cart)
    #expect(sum.violations == [Violation(.purchaseLimit, sku: try sku("C"), requested: 4, limit: 3, entry: 2)])
  }

  @Test func raisingIsCheckedAndLoweringIsNot() throws {
    let cart = try apply(add(("B", 4))).changed()
    func edit(_ quantity: LineEdit.Quantity) throws -> CartTransition {
      apply(.edit(try sku("B"), LineEdit(quantity: quantity)), to: cart)
    }
    #expect(try edit(.absolute(6)).violations.map(\.code) == [.insufficientStock])
    #expect(try edit(.delta(2)).violations.map(\.requested) == [6])
    #expect(try edit(.absolute(5)).changed().lines[0].quantity == 5)
    #expect(try edit(.delta(-1)).changed().lines[0].quantity == 3)
    #expect(try edit(.absolute(4)) == .unchanged)
    #expect(try edit(.delta(0)) == .unchanged)
    for gone in [try edit(.absolute(0)), try edit(.delta(-4)), try edit(.delta(-1_000_000))] {
      let emptied = try gone.changed()
      #expect(emptied.lines.isEmpty)
      #expect(emptied.currency == nil)
      #expect(emptied.version == 2)
    }
    // Lowering works for a product that nobody sells any more.
    let unsold = cart.applying(.edit(try sku("B"), LineEdit(quantity: .absolute(1))), at: opening) { _ in nil }
    #expect(try unsold.changed().lines[0].quantity == 1)
    let raised = cart.applying(.edit(try sku("B"), LineEdit(quantity: .delta(1))), at: opening) { _ in nil }
    #expect(raised.violations.map(\.code) == [.unknownSKU])
  }

  @Test func anAbsentLineIsNotFound() throws {
    #expect(apply(.edit(try sku("A"), LineEdit(isSelected: true))) == .lineNotFound)
  }

  @Test func clientDataIsKeptReplacedAndCleared() throws {
    let data = Array(#"{"k":1}"#.utf8)
    let a = try sku("A")
    let cart = try apply(.add([LineAddition(sku: a, quantity: 1, clientData: .replace(data))])).changed()
    #expect(cart[a]?.clientData == data)
    let kept = try apply(add(("A", 1)), to: cart).changed()
    #expect(kept[a]?.clientData == data)
    #expect(apply(.edit(a, LineEdit(clientData: .replace(data))), to: cart) == .unchanged)
    let cleared = try apply(.edit(a, LineEdit(clientData: .replace([]))), to: kept).changed()
    #expect(cleared[a]?.clientData == nil)
  }

  @Test func filtersPassOverWhatIsNotThere() throws {
    let cart = try apply(add(("A", 1), ("B", 1))).changed()
    #expect(apply(.remove(.skus([try sku("X")])), to: cart) == .unchanged)
    #expect(apply(.select(true, .all), to: cart) == .unchanged)
    let half = try apply(.select(false, .skus([sku("A"), sku("X")])), to: cart).changed()
    #expect(half.lines.map(\.isSelected) == [false, true])
    #expect(try apply(.remove(.selected), to: half).changed().lines.map(\.sku.text) == ["A"])
    #expect(try apply(.remove(.merchant(.main)), to: half).changed().lines.isEmpty)
    #expect(apply(.remove(.all)) == .unchanged)
  }

  @Test func acknowledgingTakesTheCurrentPrice() throws {
    let cart = try apply(add(("A", 1), ("B", 1))).changed()
    let dearer = try product("A", price: 300, revision: "revision2")
    let next = try cart.applying(.acknowledgePrices(.all), at: opening) { sku in
      sku == dearer.content.sku ? dearer : products[sku]
    }.changed()
    #expect(next.lines.map(\.unitPrice) == [300, 100])
    #expect(next.lines.map(\.version) == [2, 1])
    #expect(next.lines[0].revision.text == "revision2")
    #expect(apply(.acknowledgePrices(.all), to: cart) == .unchanged)
  }

  @Test func aCartHasItsLimits() throws {
    let many = try (0..<2_000).map { try product("S\($0)", price: 1_000_000_000) }
    let shop = Dictionary(many.map { ($0.content.sku, $0) }) { first, _ in first }
    let extra = try product("extra")
    func lookUp(_ sku: SKU) -> Product? { shop[sku] ?? (sku == extra.content.sku ? extra : nil) }
    let entries = many.map { LineAddition(sku: $0.content.sku, quantity: 1) }
    let full = try Cart(owner: nil).applying(.add(entries), at: opening, product: lookUp).changed()
    #expect(full.lines.count == Cart.maximumLines)
    let over = full.applying(try add(("extra", 1)), at: opening, product: lookUp)
    #expect(over.violations == [Violation(.tooManyLines, limit: 2_000, entry: 0)])
    let more = LineEdit(quantity: .absolute(9_000))
    let dear = full.applying(.edit(try sku("S0"), more), at: opening, product: lookUp)
    #expect(try dear.changed().lines[0].quantity == 9_000)
    let tooDear = full.applying(.edit(try sku("S0"), LineEdit(quantity: .absolute(1_000_000))), at: opening) {
      lookUp($0)
    }
    #expect(try tooDear.changed().lines[0].quantity == 1_000_000)
    let dozen = many.prefix(10).map { LineAddition(sku: $0.content.sku, quantity: 999_999) }
    let sum = full.applying(.add(dozen), at: opening, product: lookUp)
    #expect(sum.violations.map(\.code) == [.totalTooLarge])
  }

  /// Whatever is done, the version counts the changes, and the reference keeps its own promises.
  @Test(arguments: 0..<20)
  func randomChangesKeepTheInvariants(seed: Int) throws {
    var random = SeededRandom(seed: UInt64(seed))
    var cart = Cart(owner: nil)
    let names = ["A", "B", "C", "E", "X"]
    func pick() throws -> SKU { try sku(names[Int.random(in: 0..<names.count, using: &random)]) }
    func quantity() -> Int { Int.random(in: -3...4, using: &random) }
    for _ in 0..<200 {
      let change: CartChange =
        switch Int.random(in: 0...5, using: &random) {
        case 0, 1: .add([LineAddition(sku: try pick(), quantity: max(1, quantity()))])
        case 2: .edit(try pick(), LineEdit(quantity: .delta(quantity())))
        case 3: .edit(try pick(), LineEdit(quantity: .absolute(max(0, quantity()))))
        case 4: .select(Bool.random(using: &random), .skus([try pick()]))
        default: .remove(Bool.random(using: &random) ? .skus([try pick()]) : .selected)
        }
      guard case .changed(let next) = apply(change, to: cart) else { continue }
      #expect(next.version == cart.version + 1)
      #expect(next.lines != cart.lines)
      #expect(next.lines.map(\.born) == next.lines.map(\.born).sorted())
      #expect(Set(next.lines.map(\.sku)).count == next.lines.count)
      #expect(next.lines.allSatisfy { (1...LineItem.maximumQuantity).contains($0.quantity) })
      #expect((next.currency == nil) == next.lines.isEmpty)
      #expect(next.clock >= cart.clock)
      cart = next
    }
    #expect(cart.version > 20)
  }
}
