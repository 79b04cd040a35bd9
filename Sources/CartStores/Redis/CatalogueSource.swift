package import CartDomain

/// The owner of catalogue and stock, PostgreSQL, as its copies in Redis and in the workers see it.
///
/// Every committed change of what is sold raises the generation, and changes become visible in the order of their
/// generations: once ``generation()`` has answered `g`, each change numbered `g` or below is visible to every later call.
/// (So whoever changes the catalogue takes its number under a lock that is held until the commit.) A stock that moves has
/// a number of its own, ``Product/moved``.
package protocol CatalogueSource: AnyObject {
  /// The products as they are sold now, one for each SKU in order; `nil` where there is none.
  func products(for skus: [SKU]) throws(StoreError) -> [Product?]

  /// Revisions, old ones too, one for each id in order; `nil` where none is known.
  func revisions(_ ids: [RevisionID]) throws(StoreError) -> [ProductRevision?]

  /// The number of the last committed change; 1 or more.
  func generation() throws(StoreError) -> Int64

  /// Calls `body` with every product that changed after `generation`, in batches of some hundreds, in any order; with
  /// all products where `generation` is 0.
  ///
  /// A product whose change commits meanwhile may be among them or not.
  func forEachChanged(since generation: Int64, _ body: ([Product]) throws(StoreError) -> Void) throws(StoreError)
}
