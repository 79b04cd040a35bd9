import Foundation

/// The system that `nginx/up` started.
package final class ShopBehindNginx: ShopUnderTest, Sendable {
  package static let shared = Result {
    let shop = ShopBehindNginx()
    try shop.load(Products.all)
    return shop
  }

  package func connect() -> any Transport { HTTPConnection() }

  package func load(_ products: [JSON]) throws {
    let result = try Self.importText(products.map { $0.description + "\n" }.joined(), suffix: ".ndjson")
    guard result.status == 0 else { throw BadResponse(reason: "cartctl catalog import: \(result.errors)") }
  }

  package func retire(_ sku: String) throws {
    let result = try TestSystem.cartctl("catalog", "retire", sku)
    guard result.status == 0 else { throw BadResponse(reason: "cartctl catalog retire: \(result.errors)") }
  }

  package static func importText(_ text: String, suffix: String) throws -> CommandResult {
    let name = "cart-import-" + uniqueText() + suffix
    let file = FileManager.default.temporaryDirectory.appendingPathComponent(name)
    try text.write(to: file, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(at: file) }
    return try TestSystem.cartctl("catalog", "import", file.path)
  }
}
