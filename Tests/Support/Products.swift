/// The products that most tests share, by the SKUs that tests write out; none of them changes while the tests run.
package enum Products {
  package static let all: [JSON] =
    [
      // Three of one merchant, two of another, and one whose merchant is not given.
      product("t-a", price: 255, ["merchantId": "m1", "picture": "/p/a.jpg"]),
      product("t-b", price: 299, ["merchantId": "m1", "picture": "/p/a.jpg"]),
      product("t-c", price: 1_000, ["merchantId": "m1", "picture": "/p/a.jpg"]),
      product("t-d", price: 40, ["merchantId": "m2"]), product("t-free", price: 0, ["merchantId": "m2"]),
      product("t-house"),
      product("t-euro", price: 1_990, ["currency": "EUR"]), product("t-yen", price: 500, ["currency": "JPY"]),
      product("t-dinar", price: 1_250, ["currency": "BHD"]),
      // Known, yet not on sale.
      product("t-inactive", ["active": false]), product("t-early", ["availableFrom": "2099-01-01T00:00:00Z"]),
      product("t-late", ["availableUntil": "2001-01-01T00:00:00Z"]),
      product(
        "t-within", ["availableFrom": "2001-01-01T00:00:00Z", "availableUntil": "2099-06-30T12:00:00+02:00"]),
      product("t-limit5", ["purchaseLimit": 5]), product("t-customer3", ["customerLimit": 3]),
      product("t-minimum4", ["minimumQuantity": 4]), product("t-step6", ["quantityStep": 6]),
    ] + dear.map { product($0, price: 1_000_000_000) }

  /// Ten that cost 10⁹.
  package static let dear = (0..<10).map { "t-dear\($0)" }

  /// Two thousand and one, for a test that sells them itself.
  package static let many = (0..<2_001).map { "t-many\($0)" }

  /// A product with the required members; `more` adds to them or replaces them.
  package static func product(_ sku: String, price: Int = 250, _ more: JSON = [:]) -> JSON {
    let product: [String: JSON] = [
      "sku": .string(sku), "name": .string("Name of \(sku)"), "unitPrice": .int(price), "currency": "GBP",
    ]
    return .object(product.merging(more.members) { $1 })
  }

  /// A SKU that no other test uses.
  package static func freshSKU(_ hint: String = "sku") -> String { "t-\(hint)-\(uniqueText())" }
}
