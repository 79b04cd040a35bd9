package import CartDomain

/// A store that counts what it is asked, and can be away.
package final class CountingStore: CartStore {
  private let inner: any CartStore
  package private(set) var calls = 0
  package private(set) var lastChange: ChangeRequest?
  package var isAway = false
  /// Answers every change so, and does none.
  package var outcome: ChangeReading.Outcome?
  /// Others are at work on what it is asked for.
  package var isCrowded = false

  package init(_ inner: any CartStore) { self.inner = inner }

  package func cart(of owner: CartOwner) throws(StoreError) -> CartReading {
    try count()
    return try inner.cart(of: owner)
  }

  package func change(_ request: ChangeRequest) throws(StoreError) -> ChangeReading {
    try count()
    lastChange = request
    if let outcome { return ChangeReading(outcome: outcome, reading: try inner.cart(of: request.owner)) }
    return try inner.change(request)
  }

  package func sync(_ owner: CartOwner) throws(StoreError) -> Int64 {
    try count()
    return try inner.sync(owner)
  }

  package func merge(
    _ guest: GuestCartID, into user: UserID, by strategy: MergeStrategy, retryKey: RetryKey?, requestID: String
  ) throws(StoreError) -> MergeReading {
    try count()
    return try inner.merge(guest, into: user, by: strategy, retryKey: retryKey, requestID: requestID)
  }

  package func precheck(
    _ owner: CartOwner, retryKey: RetryKey?, condition: VersionCondition?
  ) throws(StoreError) -> ChangeReading {
    try count()
    return try inner.precheck(owner, retryKey: retryKey, condition: condition)
  }

  private func count() throws(StoreError) {
    calls += 1
    if isAway { throw StoreError(.unavailable, "away for the test", isOutcomeUnknown: true) }
    if isCrowded { throw StoreError(.overloaded, "crowded for the test") }
  }
}

/// A catalogue that counts what it is asked, and can be away.
package final class CountingCatalogue: Catalogue {
  package let inner = InMemoryCatalogue()
  package private(set) var calls = 0
  package private(set) var exactCalls = 0
  package var isAway = false

  package func products(for skus: [SKU]) throws(StoreError) -> [Product?] {
    try count()
    return try inner.products(for: skus)
  }

  package func revisions(_ ids: [RevisionID]) throws(StoreError) -> [ProductRevision?] {
    try count()
    return try inner.revisions(ids)
  }

  package func exactProducts(for skus: [SKU]) throws(StoreError) -> [Product?] {
    try count()
    exactCalls += 1
    return try inner.exactProducts(for: skus)
  }

  private func count() throws(StoreError) {
    calls += 1
    if isAway { throw StoreError(.unavailable, "away for the test") }
  }
}
