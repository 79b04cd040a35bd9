package import CartDomain

@testable import CartStores

/// A catalogue that tests change: the source behind a store's catalogue, and the reference's own.
final class Shop: CatalogueSource {
  /// What the reference store sells.
  let reference = InMemoryCatalogue()
  private(set) var asked = 0
  private var sold: [SKU: (product: Product, generation: Int64)] = [:]
  private var known: [RevisionID: ProductRevision] = [:]
  private var current: Int64 = 1
  private var revisionCount = 0

  init() {}

  /// Sells `sku` from now on. Each content has its own revision.
  @discardableResult
  func put(
    _ sku: SKU, price: Int64 = 100, currency: String = "GBP", stock: Int? = nil, merchant: String = "main",
    change: (inout ProductRevision.Content) -> Void = { _ in }
  ) -> Product {
    var content = ProductRevision.Content(
      sku: sku, merchantID: MerchantID(merchant)!, name: "Product \(sku.text)",
      unitPrice: Money(minorUnits: price, currency: Currency(currency)!))
    change(&content)
    revisionCount += 1
    let digits = String(revisionCount)
    let id = RevisionID("rev_" + String(repeating: "0", count: 12 - digits.count) + digits)!
    let product = Product(revision: ProductRevision(id: id, content: content), stock: stock)
    return put(product)
  }

  @discardableResult
  func put(_ product: Product) -> Product {
    current += 1
    let product = Product(revision: product.revision, stock: product.stock, generation: current, moved: current)
    known[product.revision.id] = product.revision
    sold[product.content.sku] = (product, current)
    reference.put(product.content, revision: product.revision.id, stock: product.stock)
    return product
  }

  /// The same revision with another stock.
  func setStock(_ stock: Int?, of sku: SKU) {
    guard let product = sold[sku]?.product else { return }
    put(Product(revision: product.revision, stock: stock))
  }

  func product(_ sku: SKU) -> Product? { sold[sku]?.product }

  /// Is as it was at an earlier time: as PostgreSQL put back from a backup.
  func putBack(to generation: Int64, products: [Product]) {
    sold = [:]
    for product in products { sold[product.content.sku] = (product, generation) }
    current = generation
  }

  func products(for skus: [SKU]) throws(StoreError) -> [Product?] {
    asked += 1
    return skus.map { sold[$0]?.product }
  }

  func revisions(_ ids: [RevisionID]) throws(StoreError) -> [ProductRevision?] {
    asked += 1
    return ids.map { known[$0] }
  }

  func generation() throws(StoreError) -> Int64 { current }

  func forEachChanged(since generation: Int64, _ body: ([Product]) throws(StoreError) -> Void) throws(StoreError) {
    let changed = sold.values.filter { $0.generation > generation }.map(\.product)
    for start in stride(from: 0, to: changed.count, by: 7) {
      try body(Array(changed[start..<min(start + 7, changed.count)]))
    }
  }
}

extension SKU: ExpressibleByStringLiteral {
  package init(stringLiteral text: String) { self.init(text)! }
}

extension CartOwner {
  static func anyUser() -> CartOwner { .user(UserID(RedisTesting.uniqueName("user-"))!) }

  static func anyGuest() -> CartOwner {
    let name = RedisTesting.uniqueName("guest-")
    return .guest(GuestCartID(name + String(repeating: "0", count: 32 - name.count))!)
  }
}

extension RetryKey {
  /// A key made of two small numbers.
  init(_ key: UInt8, request: UInt8 = 0) {
    // Zero bytes, bars and percent signs are what a ring must stand.
    self.init(
      key: [0, key, UInt8(ascii: "|"), 0xFF, UInt8(ascii: "%"), 10, 13, key],
      request: [request, 0, 0xFE, UInt8(ascii: "|")])
  }
}
