import Foundation
import Testing

/// Products that tests make for themselves, through the importer that shops use.
enum Catalogue {
  /// What every SKU of this run begins with, so that nothing of an earlier run or of the fixtures is met.
  static let prefix = "T" + String(UInt32.random(in: .min ... .max), radix: 36) + "-"

  /// A product with the required keys; `more` adds to them or replaces them.
  static func product(_ sku: String, price: Int = 250, _ more: JSON = [:]) -> JSON {
    var product: JSON = ["sku": "\(sku)", "name": "Name of \(sku)", "unitPrice": .int(price), "currency": "GBP"]
    for (key, value) in more.members { product = product.setting(key, value) }
    return product
  }

  /// A SKU that no other test uses.
  static func freshSKU(_ hint: String = "sku") -> String {
    prefix + hint + "-" + String(UInt32.random(in: .min ... .max), radix: 36)
  }

  /// Imports a new product of its own for one test and answers its SKU.
  static func make(_ hint: String = "sku", price: Int = 250, _ more: JSON = [:]) throws -> String {
    let sku = freshSKU(hint)
    try load([product(sku, price: price, more)])
    return sku
  }

  /// Imports lines as NDJSON; a refused import fails the test with what `cartctl` said.
  static func load(_ products: [JSON]) throws {
    let text = products.map { $0.description + "\n" }.joined()
    let result = try importText(text, suffix: ".ndjson")
    guard result.status == 0 else { throw BadResponse(reason: "cartctl catalog import: \(result.errors)") }
  }

  static func importText(_ text: String, suffix: String, options: [String] = []) throws -> TestSystem.CommandResult {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("cart-e2e-\(UUID().uuidString)\(suffix)")
    try text.write(to: file, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(at: file) }
    return try TestSystem.run(
      "/bin/sh",
      ["-c", "set -a; . \"$0\"; exec \"$@\"", TestSystem.state + "/env", TestSystem.state + "/bin/cartctl"]
        + ["catalog", "import"] + options + [file.path])
  }
}

/// The products that most tests share; none of them changes while the tests run.
struct SharedProducts: Sendable {
  static let loaded = Result { try SharedProducts() }

  /// Three of merchant `m1` at 255, 299 and 1000, two of merchant `m2` at 40 and 0 (pence).
  let a = Catalogue.prefix + "a"
  let b = Catalogue.prefix + "b"
  let c = Catalogue.prefix + "c"
  let d = Catalogue.prefix + "d"
  let free = Catalogue.prefix + "free"
  /// No merchant given.
  let houseBrand = Catalogue.prefix + "house"
  let euro = Catalogue.prefix + "eur"
  let yen = Catalogue.prefix + "jpy"
  let dinar = Catalogue.prefix + "bhd"
  /// In the shop's file, yet not on sale.
  let inactive = Catalogue.prefix + "inactive"
  let early = Catalogue.prefix + "early"
  let late = Catalogue.prefix + "late"
  let within = Catalogue.prefix + "within"
  let limit5 = Catalogue.prefix + "limit5"
  let customer3 = Catalogue.prefix + "customer3"
  let minimum4 = Catalogue.prefix + "minimum4"
  let step6 = Catalogue.prefix + "step6"
  /// Price 10⁹.
  let dear = (0..<10).map { Catalogue.prefix + "dear\($0)" }
  /// Simple products by the thousand, price 1.
  let many = (0..<2_001).map { Catalogue.prefix + "many\($0)" }

  private init() throws {
    let m1: JSON = ["merchantId": "m1", "picture": "/p/a.jpg"]
    let m2: JSON = ["merchantId": "m2"]
    var products = [
      Catalogue.product(a, price: 255, m1), Catalogue.product(b, price: 299, m1),
      Catalogue.product(c, price: 1_000, m1),
      Catalogue.product(d, price: 40, m2), Catalogue.product(free, price: 0, m2), Catalogue.product(houseBrand),
      Catalogue.product(euro, price: 1_990, ["currency": "EUR"]),
      Catalogue.product(yen, price: 500, ["currency": "JPY"]),
      Catalogue.product(dinar, price: 1_250, ["currency": "BHD"]),
      Catalogue.product(inactive, ["active": false]),
      Catalogue.product(early, ["availableFrom": "2099-01-01T00:00:00Z"]),
      Catalogue.product(late, ["availableUntil": "2001-01-01T00:00:00Z"]),
      Catalogue.product(
        within, ["availableFrom": "2001-01-01T00:00:00Z", "availableUntil": "2099-06-30T12:00:00+02:00"]),
      Catalogue.product(limit5, ["purchaseLimit": 5]), Catalogue.product(customer3, ["customerLimit": 3]),
      Catalogue.product(minimum4, ["minimumQuantity": 4]), Catalogue.product(step6, ["quantityStep": 6]),
    ]
    products += dear.map { Catalogue.product($0, price: 1_000_000_000) }
    products += many.map { Catalogue.product($0, price: 1) }
    try Catalogue.load(products)
  }

  static func get() throws -> SharedProducts { try loaded.get() }
}
