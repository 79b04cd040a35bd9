package import CartDomain

@testable import CartStores

/// A catalogue that tests change: the source behind a store's catalogue, and the reference's own.
final class Shop: CatalogueSource {
  /// What the reference store sells.
  let reference = InMemoryCatalogue()
  private(set) var asked = 0
  private var sold: [SKU: (product: Product, catalogueVersion: Int64)] = [:]
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
    let product = Product(revision: product.revision, stock: product.stock, catalogueVersion: current, moved: current)
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
  func putBack(to catalogueVersion: Int64, products: [Product]) {
    sold = [:]
    for product in products { sold[product.content.sku] = (product, catalogueVersion) }
    current = catalogueVersion
  }

  func products(for skus: [SKU]) throws(StoreError) -> [Product?] {
    asked += 1
    return skus.map { sold[$0]?.product }
  }

  func revisions(_ ids: [RevisionID]) throws(StoreError) -> [ProductRevision?] {
    asked += 1
    return ids.map { known[$0] }
  }

  func catalogueVersion() throws(StoreError) -> Int64 { current }

  func changed(after place: CataloguePlace) throws(StoreError) -> (products: [Product], next: CataloguePlace?) {
    let changed = sold.values.map {
      (CataloguePlace(catalogueVersion: $0.catalogueVersion, sku: $0.product.content.sku.text), $0)
    }
    .filter { $0.0 > place }.sorted { $0.0 < $1.0 }
    let page = changed.prefix(7)
    return (page.map(\.1.product), changed.count > page.count ? page.last?.0 : nil)
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
