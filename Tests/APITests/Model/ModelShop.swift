import CartDomain
import TestSupport

/// A small shop that both sides sell from: the shop under test, and one in memory for the model.
struct ModelShop {
  let shop: any ShopUnderTest
  private let memory: Shop
  private var articles: [JSON]
  let skus: [String]

  init(_ shop: any ShopUnderTest) throws {
    self.shop = shop
    memory = try Shop()
    let stem = Products.freshSKU("model")
    articles = [
      Products.product(stem + "/plain", price: 255, ["merchantId": "m1"]),
      Products.product(stem + "|other", price: 299, ["merchantId": "m2", "active": true]),
      Products.product(stem + " third", price: 0, ["merchantId": "m1"]),
      Products.product(stem + "%few", price: 100, ["merchantId": "m3", "stock": 7]),
      Products.product(stem + "limited", price: 100, ["merchantId": "m2", "purchaseLimit": 5]),
      Products.product(stem + "minimum", price: 100, ["minimumQuantity": 3]),
      Products.product(stem + "step", price: 100, ["stock": 60, "quantityStep": 4]),
      Products.product(stem + "euro", price: 100, ["currency": "EUR"]),
      Products.product(stem + "retired", price: 100, ["active": false]),
    ]
    // The last one is never sold.
    skus = articles.compactMap(\.["sku"].string) + [stem + " unknown"]
    try publish()
  }

  var catalogue: InMemoryCatalogue { memory.catalogue.inner }

  /// Sells the articles as they now are, on both sides.
  private func publish() throws {
    try shop.load(articles)
    try memory.load(articles)
  }

  /// Other prices, other stock, one product gone and one back.
  mutating func change(using numbers: inout SeededRandom) throws {
    for index in articles.indices {
      for (name, range) in [("unitPrice", 1...400), ("stock", 0...40), ("purchaseLimit", 1...9)]
      where articles[index].keys.contains(name) && (name != "unitPrice" || numbers.chance(50)) {
        articles[index] = articles[index].setting(name, .int(.random(in: range, using: &numbers)))
      }
    }
    articles[1] = articles[1].setting("active", false)
    articles[8] = articles[8].setting("active", true)
    try publish()
  }
}
