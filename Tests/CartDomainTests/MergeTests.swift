import CartDomain
import Testing

@Suite struct Merges {
  @Test func aLineIsLimitedByItsProductAsItIsSold() throws {
    var cart = Cart(owner: nil)
    var products: [Product?] = []
    func put(_ name: String, _ product: Product?) throws {
      let line = LineItem(
        sku: try sku(name), quantity: 5, isSelected: true, born: Int64(products.count), version: 1, merchantID: .main,
        unitPrice: 100, revision: try #require(RevisionID("revision")), clientData: nil)
      cart.lines.append(line)
      products.append(product)
    }
    cart.currency = try currency("GBP")
    try put("stock", product("stock", stock: 7))
    try put("limit", product("limit", stock: 9) { $0.purchaseLimit = 4 })
    try put("free", product("free"))
    try put("early", product("early") { $0.availableFrom = opening.adding(milliseconds: 1) })
    try put("euro", product("euro") { $0.unitPrice = Money(minorUnits: 1, currency: try currency("EUR")) })
    try put("unknown", nil)
    let merge = CartMerge(
      of: try #require(GuestCartID(String(repeating: "g", count: 22))), cart, products: products, by: .sum, at: opening,
      key: nil, [])
    #expect(merge.lines.map(\.maximum) == [7, 4, LineItem.maximumQuantity, nil, nil, nil])
    #expect(merge.lines.map(\.line) == cart.lines)
    #expect(merge.currency == cart.currency)
  }
}
