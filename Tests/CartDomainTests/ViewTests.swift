import CartDomain
import Testing

/// A cart joined with the catalogue.
@Suite struct Views {
  private func line(
    _ text: String, _ quantity: Int = 1, price: Int64 = 100, isSelected: Bool = true, merchant: String = "main"
  ) throws -> LineItem {
    LineItem(
      sku: try sku(text), quantity: quantity, isSelected: isSelected, born: opening.milliseconds, version: 1,
      merchantID: try #require(MerchantID(merchant)), unitPrice: price, revision: try #require(RevisionID("revision")),
      clientData: nil)
  }

  private func view(_ lines: [LineItem], _ products: [Product?]) throws -> CartView {
    var cart = Cart(owner: nil)
    cart.lines = lines
    cart.currency = lines.isEmpty ? nil : try currency("GBP")
    return CartView(cart, products: products, snapshots: products.map { $0?.revision }, at: opening)
  }

  /// Lines, quantity, both of what is selected, and the two totals.
  private func numbers(_ view: CartView) -> [Int64] {
    let counts = [view.counts.lines, view.counts.quantity, view.counts.selectedLines, view.counts.selectedQuantity]
    return counts.map(Int64.init) + [view.totals.all, view.totals.selected]
  }

  @Test func anEmptyCartHasZeros() throws {
    let view = try view([], [])
    #expect(numbers(view) == [0, 0, 0, 0, 0, 0])
    #expect(view.merchants.isEmpty)
    #expect(view.problems.isEmpty)
  }

  @Test func totalsAreByTheCurrentPrice() throws {
    let view = try view(
      [line("A", 3), line("B", 2, isSelected: false), line("C", 5, price: 7), line("D", 1)],
      [product("A", price: 110), product("B", price: 90), nil, product("D") { $0.isActive = false }])
    #expect(view.lines.map(\.lineTotal) == [330, 180, 35, 100])
    #expect(numbers(view) == [4, 11, 3, 9, 645, 330])
    #expect(view.lines.map { $0.changedPrice?.from } == [100, 100, nil, nil])
    #expect(view.lines.map { $0.changedPrice?.to } == [110, 90, nil, nil])
    #expect(view.lines.map(\.isPurchasable) == [true, true, false, false])
    #expect(view.problems.map(\.code) == [.unknownSKU, .notPurchasable])
    #expect(view.problems.map(\.sku) == [try sku("C"), try sku("D")])
  }

  @Test func merchantsStandInTheOrderOfTheirFirstLine() throws {
    let lines = [
      try line("A", merchant: "m2"), try line("B", merchant: "m1"), try line("C", isSelected: false, merchant: "m2"),
      try line("D", isSelected: false, merchant: "m3"), try line("E", merchant: "m1"),
    ]
    let view = try view(lines, lines.map { try product($0.sku.text) })
    #expect(view.merchants.map(\.merchantID.text) == ["m2", "m1", "m3"])
    #expect(view.merchants.map(\.selection) == ["some", "all", "none"])
    #expect(view.merchants.map(\.lines) == [2, 2, 1])
    #expect(view.merchants.map(\.selectedTotal) == [100, 200, 0])
  }

  @Test func problemsAreOfSelectedLinesOnly() throws {
    let short = try product("A", stock: 1)
    #expect(try view([line("A", 2)], [short]).problems.map(\.code) == [.insufficientStock])
    #expect(try view([line("A", 2, isSelected: false)], [short]).problems.isEmpty)
  }

  @Test func aCatalogueLooksUpOnlyTheSnapshotsThatDiffer() throws {
    let catalogue = InMemoryCatalogue()
    let content = try product("A", price: 100).content
    catalogue.put(content, revision: try #require(RevisionID("revision")), stock: nil)
    var dearer = content
    dearer.unitPrice = Money(minorUnits: 150, currency: content.unitPrice.currency)
    dearer.name = "New name"
    var cart = Cart(owner: nil)
    cart.lines = [try line("A")]
    cart.currency = content.unitPrice.currency
    catalogue.put(dearer, revision: try #require(RevisionID("revision2")), stock: nil)
    let view = try catalogue.view(of: cart, at: opening)
    #expect(view.lines[0].snapshot?.content.name == "Name of A")
    #expect(view.lines[0].current?.content.name == "New name")
    #expect(view.lines[0].lineTotal == 150)
    catalogue.remove(content.sku)
    let gone = try catalogue.view(of: cart, at: opening)
    #expect(gone.lines[0].current == nil)
    #expect(gone.lines[0].snapshot?.content.name == "Name of A")
  }
}
