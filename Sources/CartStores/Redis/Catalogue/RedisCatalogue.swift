package import CartDomain

/// The catalogue as a worker sees it: what it used last in memory, everything in Redis, PostgreSQL behind it.
///
/// Every entry is stamped with the catalogue version at which it was checked, and every answer of Redis carries the current
/// one. Where they differ, one command checks the products at hand; where Redis does not know a product, PostgreSQL is
/// asked, and Redis keeps what it answered.
package final class RedisCatalogue: Catalogue {
  /// For so long the catalogue version last seen counts as the current one, in milliseconds.
  static let freshness: Int64 = 1_000
  /// SKUs that PostgreSQL does not know are remembered up to this number.
  static let rememberedUnknown = 256

  let connection: RedisConnection
  let source: any CatalogueSource
  /// Know whether Redis is the shop's.
  private let histories: RedisHistories
  private var products: BoundedCache<SKU, Stamped>
  private var unknown = BoundedCache<SKU, Int64>(capacity: RedisCatalogue.rememberedUnknown)
  private var revisions: BoundedCache<RevisionID, ProductRevision>
  /// As of the last answer that carried it.
  private var catalogueVersion: Int64?
  private var seenAt: Int64 = 0

  private struct Stamped {
    var product: Product
    var catalogueVersion: Int64
  }

  /// - Parameter capacity: how many products, and how many revisions, the worker keeps in memory.
  init(_ histories: RedisHistories, source: any CatalogueSource, capacity: Int) {
    self.histories = histories
    connection = histories.connection
    self.source = source
    products = BoundedCache(capacity: capacity)
    revisions = BoundedCache(capacity: capacity)
  }

  package func products(for skus: [SKU]) throws(StoreError) -> [Product?] {
    if skus.isEmpty { return [] }
    do throws(StoreError) {
      if catalogueVersion == nil || RedisClock.monotonic - seenAt > Self.freshness { try refreshVersion() }
      if let found = remembered(skus) { return found }
      let found = try current(skus).products
      return skus.map { found[$0] }
    } catch {
      // The owner may be there although its copies are not.
      guard let found = try? source.products(for: skus) else { throw error }
      return found
    }
  }

  /// The products, where all of them are in memory and of the catalogue version last seen.
  private func remembered(_ skus: [SKU]) -> [Product?]? {
    var found: [Product?] = []
    found.reserveCapacity(skus.count)
    for sku in skus {
      guard let entry = products.value(for: sku), entry.catalogueVersion == catalogueVersion else { return nil }
      found.append(entry.product)
    }
    return found
  }

  /// A Redis that is not the shop's has no catalogue for it, and is given none.
  func needOwn() throws(StoreError) {
    if (try? histories.current()) != nil { return }
    if connection.isForeign { throw StoreError(.unavailable, "Redis: this one does not speak for the shop") }
  }

  package func exactProducts(for skus: [SKU]) throws(StoreError) -> [Product?] {
    skus.isEmpty ? [] : try source.products(for: skus)
  }

  package func revisions(_ ids: [RevisionID]) throws(StoreError) -> [ProductRevision?] {
    do throws(StoreError) {
      try needOwn()
      let found = try load(revisions: ids)
      return ids.map { found[$0] }
    } catch {
      guard let found = try? source.revisions(ids) else { throw error }
      return found
    }
  }

  /// Takes in the catalogue version that an answer carried; `nil` where Redis has none.
  func note(catalogueVersion: Int64?) {
    self.catalogueVersion = catalogueVersion
    seenAt = RedisClock.monotonic
  }

  /// Asks for the catalogue version at the next use: whoever publishes sees it himself at once.
  func invalidateCatalogueVersion() { catalogueVersion = nil }

  /// The products, without asking whether the catalogue version last seen is still the current one: the script will.
  ///
  /// - Returns: the products that there are, and the catalogue version they were checked at.
  func current(_ skus: [SKU]) throws(StoreError) -> (products: [SKU: Product], catalogueVersion: Int64) {
    try needOwn()
    var rounds = 3
    while true {
      let catalogueVersion = if let catalogueVersion { catalogueVersion } else { try refreshVersion() }
      var found: [SKU: Product] = [:]
      var missing: Set<SKU> = []
      for sku in skus {
        if let entry = products.value(for: sku), entry.catalogueVersion == catalogueVersion {
          found[sku] = entry.product
        } else if unknown.value(for: sku) != catalogueVersion {
          missing.insert(sku)
        }
      }
      if missing.isEmpty { return (found, catalogueVersion) }
      let fetched = try fetch(Array(missing))
      rounds -= 1
      // A catalogue that never rests must not hold up a request.
      if let fetched, self.catalogueVersion == catalogueVersion || rounds == 0 {
        return (found.merging(fetched) { _, new in new }, catalogueVersion)
      }
      if rounds == 0 { throw Self.tooManyAttempts }
    }
  }
}

// MARK: - The second level

extension RedisCatalogue {
  /// Asks Redis for the current catalogue version, or establishes one where Redis has been emptied.
  @discardableResult
  private func refreshVersion() throws(StoreError) -> Int64 {
    try needOwn()
    for isRestarted in [false, true] {
      let replies = try connection.exchange(RedisCommand("GET", connection.keys.catalogueVersion), .idempotent)
      note(catalogueVersion: try replies.read(0) { value throws(StoreError) in try value.catalogueVersion() })
      if let catalogueVersion { return catalogueVersion }
      if !isRestarted { try restart(from: nil, at: try source.catalogueVersion()) }
    }
    throw Self.tooManyAttempts
  }

  private static var tooManyAttempts: StoreError {
    StoreError(.unavailable, "Redis: the catalogue's version does not stay")
  }

  /// Fetches products together with the current catalogue version, and stamps them with it; `nil` where Redis had none and it
  /// had to be established first.
  private func fetch(_ skus: [SKU]) throws(StoreError) -> [SKU: Product]? {
    var question = RedisCommand("HMGET", connection.keys.catalogue)
    for sku in skus { question.append(sku.text) }
    // The catalogue version is read first, so that the products are at least as new.
    let replies = try connection.exchange(
      [RedisCommand("GET", connection.keys.catalogueVersion), question], .idempotent)
    note(catalogueVersion: try replies.read(0) { value throws(StoreError) in try value.catalogueVersion() })
    guard let catalogueVersion else {
      try refreshVersion()
      return nil
    }
    let entries = try replies.read(1) { list throws(StoreError) in
      var entries: [CatalogueEntry?] = []
      for index in skus.indices {
        entries.append(
          try list.element(index) { value throws(StoreError) in try value.withBytes { CatalogueEntry($0) } ?? nil })
      }
      return entries
    }
    let known = try load(revisions: entries.compactMap { $0?.revision })
    var found: [SKU: Product] = [:]
    var missing: [SKU] = []
    for (sku, entry) in zip(skus, entries) {
      if let entry, let revision = known[entry.revision] {
        found[sku] = Product(revision: revision, stock: entry.stock)
      } else {
        missing.append(sku)
      }
    }
    if !missing.isEmpty { try ask(missing, at: catalogueVersion, into: &found) }
    for (sku, product) in found {
      products.insert(Stamped(product: product, catalogueVersion: catalogueVersion), for: sku)
    }
    return found
  }

  /// Asks PostgreSQL for what Redis does not know, and lets Redis keep the answers.
  private func ask(_ skus: [SKU], at catalogueVersion: Int64, into found: inout [SKU: Product]) throws(StoreError) {
    var answered: [Product] = []
    for (sku, product) in zip(skus, try source.products(for: skus)) {
      if let product {
        found[sku] = product
        revisions.insert(product.revision, for: product.revision.id)
        answered.append(product)
      } else {
        unknown.insert(catalogueVersion, for: sku)
      }
    }
    if answered.isEmpty { return }
    // What Redis can't keep is asked for again.
    try? keep(revisions: answered.map(\.revision))
    try? fill(answered, at: catalogueVersion)
  }

  /// Revisions from memory, else from Redis, else from PostgreSQL.
  private func load(revisions ids: [RevisionID]) throws(StoreError) -> [RevisionID: ProductRevision] {
    var found: [RevisionID: ProductRevision] = [:]
    var missing: [RevisionID] = []
    for id in Set(ids) {
      if let revision = revisions.value(for: id) { found[id] = revision } else { missing.append(id) }
    }
    if missing.isEmpty { return found }
    var question = RedisCommand("HMGET", connection.keys.revisions)
    for id in missing { question.append(id.text) }
    let replies = try connection.exchange(question, .idempotent)
    var unknown: [RevisionID] = []
    for (index, id) in missing.enumerated() {
      let content = try replies.read(0) { list throws(StoreError) in
        try list.element(index) { value throws(StoreError) in try value.withBytes { RevisionCodec.decode($0) } ?? nil }
      }
      if let content { found[id] = ProductRevision(id: id, content: content) } else { unknown.append(id) }
    }
    if !unknown.isEmpty {
      let answered = try source.revisions(unknown).compactMap { $0 }
      for revision in answered { found[revision.id] = revision }
      try? keep(revisions: answered)
    }
    for id in missing { if let revision = found[id] { revisions.insert(revision, for: id) } }
    return found
  }
}
