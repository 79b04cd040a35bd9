package import CartDomain

/// The owner of catalogue and stock, PostgreSQL, as its copies in Redis and in the workers see it.
///
/// Every committed change of what is sold raises the catalogue version, and changes become visible in the order of their
/// catalogue versions: once ``catalogue version()`` has answered `g`, each change numbered `g` or below is visible to every later call.
/// (So whoever changes the catalogue takes its number under a lock that is held until the commit.) A stock that moves has
/// a number of its own, ``Product/moved``.
package protocol CatalogueSource: AnyObject {
  /// The products as they are sold now, one for each SKU in order; `nil` where there is none.
  func products(for skus: [SKU]) throws(StoreError) -> [Product?]

  /// Revisions, old ones too, one for each id in order; `nil` where none is known.
  func revisions(_ ids: [RevisionID]) throws(StoreError) -> [ProductRevision?]

  /// The number of the last committed change; 1 or more.
  func catalogueVersion() throws(StoreError) -> Int64

  /// Products in the order of their last change and then of their SKUs, some hundreds at most. What changes meanwhile
  /// moves behind `place`, and is met again.
  ///
  /// - Parameter place: only products behind it.
  /// - Returns: the products, and where to go on; `nil` when there are no more.
  func changed(after place: CataloguePlace) throws(StoreError) -> (products: [Product], next: CataloguePlace?)
}

/// A place among all products in the order of their last change.
package struct CataloguePlace: Equatable, Comparable, Sendable {
  /// Of the last change.
  package var catalogueVersion: Int64
  /// Empty before all products of the catalogue version.
  package var sku: String

  package init(catalogueVersion: Int64, sku: String) {
    self.catalogueVersion = catalogueVersion
    self.sku = sku
  }

  /// Before every product that changed after `catalogueVersion`; before all of them, if that is 0.
  package init(after catalogueVersion: Int64) { self.init(catalogueVersion: catalogueVersion + 1, sku: "") }

  package static func < (one: Self, other: Self) -> Bool {
    one.catalogueVersion != other.catalogueVersion
      ? one.catalogueVersion < other.catalogueVersion : one.sku.utf8.lexicographicallyPrecedes(other.sku.utf8)
  }
}
