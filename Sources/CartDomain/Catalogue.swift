/// What is sold. PostgreSQL owns it; implementations may answer from copies that are at most a second old.
package protocol Catalogue: AnyObject {
  /// The products as they are sold now, one for each SKU in order; `nil` if the catalogue has none.
  func products(for skus: [SKU]) throws(StoreError) -> [Product?]

  /// Revisions that carts point at, one for each id in order; `nil` if none is known.
  func revisions(_ ids: [RevisionID]) throws(StoreError) -> [ProductRevision?]

  /// Like ``products(for:)``, from the owner of the stock itself, not from a copy.
  func exactProducts(for skus: [SKU]) throws(StoreError) -> [Product?]
}

extension Catalogue {
  /// Joins a cart with the catalogue.
  package func view(of cart: Cart, at now: Timestamp) throws(StoreError) -> CartView {
    try view(of: cart, products: products(for: cart.lines.map(\.sku)), at: now)
  }

  /// Joins a cart with `products`, one for each of its lines; looks up only the snapshots that differ from them.
  package func view(of cart: Cart, products: [Product?], at now: Timestamp) throws(StoreError) -> CartView {
    var snapshots: [ProductRevision?] = []
    snapshots.reserveCapacity(cart.lines.count)
    var older: [Int] = []
    for (index, line) in cart.lines.enumerated() {
      if let revision = products[index]?.revision, revision.id == line.revision {
        snapshots.append(revision)
      } else {
        snapshots.append(nil)
        older.append(index)
      }
    }
    if !older.isEmpty {
      let found = try revisions(older.map { cart.lines[$0].revision })
      for (index, revision) in zip(older, found) { snapshots[index] = revision }
    }
    return CartView(cart, products: products, snapshots: snapshots, at: now)
  }
}

/// A catalogue in memory, for tests.
package final class InMemoryCatalogue: Catalogue {
  private var current: [SKU: Product] = [:]
  private var known: [RevisionID: ProductRevision] = [:]

  package init() {}

  /// Sells `content` from now on.
  package func put(_ content: ProductRevision.Content, revision: RevisionID, stock: Int?) {
    let revision = ProductRevision(id: revision, content: content)
    known[revision.id] = revision
    current[content.sku] = Product(revision: revision, stock: stock)
  }

  /// Takes the SKU out altogether; its revisions stay.
  package func remove(_ sku: SKU) { current[sku] = nil }

  package func products(for skus: [SKU]) throws(StoreError) -> [Product?] { skus.map { current[$0] } }
  package func exactProducts(for skus: [SKU]) throws(StoreError) -> [Product?] { skus.map { current[$0] } }
  package func revisions(_ ids: [RevisionID]) throws(StoreError) -> [ProductRevision?] { ids.map { known[$0] } }
}
