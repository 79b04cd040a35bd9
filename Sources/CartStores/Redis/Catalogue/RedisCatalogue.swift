package import CartDomain

/// The catalogue as a worker sees it: what it used last in memory, everything in Redis, PostgreSQL behind it.
///
/// Every entry is stamped with the generation at which it was checked, and every answer of Redis carries the current
/// one. Where they differ, one command checks the products at hand; where Redis does not know a product, PostgreSQL is
/// asked, and Redis keeps what it answered.
package final class RedisCatalogue: Catalogue {
  /// For so long the generation last seen counts as the current one, in milliseconds.
  static let freshness: Int64 = 1_000
  /// SKUs that PostgreSQL does not know are remembered up to this number.
  static let rememberedUnknown = 256

  let connection: RedisConnection
  let source: any CatalogueSource
  /// Know whether Redis is the shop's; without them, whoever shares the connection does.
  package var histories: RedisHistories?
  private var products: BoundedCache<SKU, Stamped>
  private var unknown = BoundedCache<SKU, Int64>(capacity: RedisCatalogue.rememberedUnknown)
  private var revisions: BoundedCache<RevisionID, ProductRevision>
  /// As of the last answer that carried it.
  private var generation: Int64?
  private var seenAt: Int64 = 0

  private struct Stamped {
    var product: Product
    var generation: Int64
  }

  /// - Parameter capacity: how many products, and how many revisions, the worker keeps in memory.
  package init(connection: RedisConnection, source: any CatalogueSource, capacity: Int = 1_024) {
    self.connection = connection
    self.source = source
    products = BoundedCache(capacity: capacity)
    revisions = BoundedCache(capacity: capacity)
  }

  package func products(for skus: [SKU]) throws(StoreError) -> [Product?] {
    if skus.isEmpty { return [] }
    do throws(StoreError) {
      if generation == nil || RedisClock.monotonic - seenAt > Self.freshness { try refreshGeneration() }
      if let found = remembered(skus) { return found }
      let found = try current(skus).products
      return skus.map { found[$0] }
    } catch {
      // The owner may be there although its copies are not.
      guard let found = try? source.products(for: skus) else { throw error }
      return found
    }
  }

  /// The products, where all of them are in memory and of the generation last seen.
  private func remembered(_ skus: [SKU]) -> [Product?]? {
    var found: [Product?] = []
    found.reserveCapacity(skus.count)
    for sku in skus {
      guard let entry = products.value(for: sku), entry.generation == generation else { return nil }
      found.append(entry.product)
    }
    return found
  }

  /// A Redis that is not the shop's has no catalogue for it, and is given none.
  func needOwn() throws(StoreError) {
    if let histories, (try? histories.current()) != nil { return }
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

  /// Takes in the generation that an answer carried; `nil` where Redis has none.
  func note(generation: Int64?) {
    self.generation = generation
    seenAt = RedisClock.monotonic
  }

  /// Asks for the generation at the next use: whoever publishes sees it himself at once.
  func distrustGeneration() { generation = nil }

  /// The products, without asking whether the generation last seen is still the current one: the script will.
  ///
  /// - Returns: the products that there are, and the generation they were checked at.
  func current(_ skus: [SKU]) throws(StoreError) -> (products: [SKU: Product], generation: Int64) {
    try needOwn()
    var rounds = 3
    while true {
      let generation = if let generation { generation } else { try refreshGeneration() }
      var found: [SKU: Product] = [:]
      var missing: Set<SKU> = []
      for sku in skus {
        if let entry = products.value(for: sku), entry.generation == generation {
          found[sku] = entry.product
        } else if unknown.value(for: sku) != generation {
          missing.insert(sku)
        }
      }
      if missing.isEmpty { return (found, generation) }
      let fetched = try fetch(Array(missing))
      rounds -= 1
      // A catalogue that never rests must not hold up a request.
      if let fetched, self.generation == generation || rounds == 0 {
        return (found.merging(fetched) { _, new in new }, generation)
      }
      if rounds == 0 { throw Self.unsettled }
    }
  }
}

// MARK: - The second level

extension RedisCatalogue {
  /// Asks Redis for the current generation, or establishes one where Redis has been emptied.
  @discardableResult
  private func refreshGeneration() throws(StoreError) -> Int64 {
    try needOwn()
    for isRestarted in [false, true] {
      let replies = try connection.exchange(RedisCommand("GET", connection.keys.generation), .reading)
      note(generation: try replies.read(0) { value throws(StoreError) in try value.generation() })
      if let generation { return generation }
      if !isRestarted { try restart(from: nil, at: try source.generation()) }
    }
    throw Self.unsettled
  }

  private static var unsettled: StoreError {
    StoreError(.unavailable, "Redis: the catalogue's generation does not stay")
  }

  /// Fetches products together with the current generation, and stamps them with it; `nil` where Redis had none and it
  /// had to be established first.
  private func fetch(_ skus: [SKU]) throws(StoreError) -> [SKU: Product]? {
    var question = RedisCommand("HMGET", connection.keys.catalogue)
    for sku in skus { question.append(sku.text) }
    // The generation is read first, so that the products are at least as new.
    let replies = try connection.exchange([RedisCommand("GET", connection.keys.generation), question], .reading)
    note(generation: try replies.read(0) { value throws(StoreError) in try value.generation() })
    guard let generation else {
      try refreshGeneration()
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
    if !missing.isEmpty { try ask(missing, at: generation, into: &found) }
    for (sku, product) in found { products.insert(Stamped(product: product, generation: generation), for: sku) }
    return found
  }

  /// Asks PostgreSQL for what Redis does not know, and lets Redis keep the answers.
  private func ask(_ skus: [SKU], at generation: Int64, into found: inout [SKU: Product]) throws(StoreError) {
    var answered: [Product] = []
    for (sku, product) in zip(skus, try source.products(for: skus)) {
      if let product {
        found[sku] = product
        revisions.insert(product.revision, for: product.revision.id)
        answered.append(product)
      } else {
        unknown.insert(generation, for: sku)
      }
    }
    if answered.isEmpty { return }
    // What Redis can't keep is asked for again.
    try? keep(revisions: answered.map(\.revision))
    try? fill(answered, at: generation)
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
    let replies = try connection.exchange(question, .reading)
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
