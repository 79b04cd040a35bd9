import CartDomain
import Foundation

/// Numbers from a seed, the same on every machine (SplitMix64).
struct SeededNumbers: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}

/// A small shop that both sides sell from: the server by import, the model by its catalogue in memory.
struct ModelShop {
  struct Article {
    var sku: String
    var merchant = "m1"
    var price = 100
    var currency = "GBP"
    var stock: Int?
    var purchaseLimit: Int?
    var minimum: Int?
    var step: Int?
    var isActive = true

    var imported: JSON {
      func optional(_ number: Int?) -> JSON { number.map { .int($0) } ?? nil }
      return [
        "sku": "\(sku)", "name": "Name of \(sku)", "merchantId": "\(merchant)", "unitPrice": .int(price),
        "currency": "\(currency)", "stock": optional(stock), "purchaseLimit": optional(purchaseLimit),
        "minimumQuantity": optional(minimum), "quantityStep": optional(step), "active": .bool(isActive),
      ]
    }
  }

  var articles: [Article]
  /// Never sold.
  let unknown: String
  let catalogue = InMemoryCatalogue()
  private var revisions = 0

  init() {
    let stem = Catalogue.freshSKU("model")
    unknown = stem + " unknown"
    articles = [
      Article(sku: stem + "/plain", price: 255), Article(sku: stem + "|other", merchant: "m2", price: 299),
      Article(sku: stem + " third", price: 0), Article(sku: stem + "%few", merchant: "m3", stock: 7),
      Article(sku: stem + "limited", merchant: "m2", purchaseLimit: 5), Article(sku: stem + "minimum", minimum: 3),
      Article(sku: stem + "step", stock: 60, step: 4), Article(sku: stem + "euro", currency: "EUR"),
      Article(sku: stem + "retired", isActive: false),
    ]
  }

  var skus: [String] { articles.map(\.sku) + [unknown] }

  /// Sells the articles as they now are, on both sides.
  mutating func publish() throws {
    try Catalogue.load(articles.map(\.imported))
    for article in articles {
      revisions += 1
      guard let sku = SKU(article.sku), let merchant = MerchantID(article.merchant),
        let currency = Currency(article.currency), let revision = RevisionID("revision-\(revisions)")
      else { throw BadResponse(reason: "the model's shop is not made well") }
      let content = ProductRevision.Content(
        sku: sku, merchantID: merchant, name: "Name of \(article.sku)",
        unitPrice: Money(minorUnits: Int64(article.price), currency: currency), purchaseLimit: article.purchaseLimit,
        minimumQuantity: article.minimum, quantityStep: article.step, isActive: article.isActive)
      catalogue.put(content, revision: revision, stock: article.stock)
    }
  }

  /// Other prices, other stock, one product gone and one back.
  mutating func change(using numbers: inout SeededNumbers) {
    for index in articles.indices {
      if Bool.random(using: &numbers) { articles[index].price = .random(in: 1...400, using: &numbers) }
      if articles[index].stock != nil { articles[index].stock = .random(in: 0...40, using: &numbers) }
      if articles[index].purchaseLimit != nil { articles[index].purchaseLimit = .random(in: 1...9, using: &numbers) }
    }
    articles[1].isActive = false
    articles[8].isActive = true
  }
}
