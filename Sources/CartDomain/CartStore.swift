/// Where carts are kept. The contract of every implementation:
///
/// - A change is made as ``Cart/applying(_:at:product:)`` does it on the cart as it is at that moment, as a
///   whole or not at all. Two changes at once happen one after the other; none is lost, and each raises the version
///   by exactly 1.
/// - A missing cart reads as one never written. A user's comes into being with its first add; a guest's only if the
///   caller says that its id is new (``ChangeRequest/isNewGuest``): any other missing guest is gone.
/// - Order of checks: retry, condition on the version, then the cart's own rules.
/// - A guest's cart lives ``Cart/guestLifetimeMilliseconds`` after its last change, or last read at daily precision.
package protocol CartStore: AnyObject {
  /// Reads a cart; renews a guest's life, at most daily.
  ///
  /// - Throws: ``StoreError`` if no store can answer. Never shows a cart as empty because a store is away.
  func cart(of owner: CartOwner) throws(StoreError) -> CartReading

  /// Makes one change.
  ///
  /// - Throws: ``StoreError``; whether the change took effect may then be unknown
  ///   (``StoreError/isOutcomeUnknown``), and a retry with the same key is safe.
  func change(_ request: ChangeRequest) throws(StoreError) -> ChangeReading

  /// Has a cart kept for good before it returns.
  ///
  /// - Returns: its version; 0 for a cart never written.
  func sync(_ owner: CartOwner) throws(StoreError) -> Int64

  /// Merges a guest's cart into a user's: once, ever, by whichever requests and however often they ask.
  ///
  /// - Parameter retryKey: of a request that asks for this alone; the user's cart remembers it.
  /// - Throws: ``StoreError`` if the store in use is away.
  func merge(
    _ guest: GuestCartID, into user: UserID, by strategy: MergeStrategy, retryKey: RetryKey?, requestID: String
  ) throws(StoreError) -> MergeReading

  /// What has become of a request before: a retry, a key used for another, or a condition on the version that does not
  /// hold; ``ChangeReading/Outcome/unchanged`` for none of them. Nothing is remembered.
  func precheck(
    _ owner: CartOwner, retryKey: RetryKey?, condition: VersionCondition?
  ) throws(StoreError) -> ChangeReading
}

/// What became of a guest's cart at a login.
package enum MergeReading: Equatable, Sendable {
  /// The user's cart has taken the guest's lines in, and is kept for good.
  case merged(MergeStrategy, [CartMerge.Report])
  /// There was nothing to merge: the id is gone, or another user has taken it.
  case nothing
  /// It can't be recorded now; the guest's cart is as it was.
  case pending
}

/// A cart, and what the answer to the shopper must say with it.
package struct CartReading: Sendable {
  package var cart: Cart
  /// The guest's cart was merged or has expired, or never was: the id is never used again.
  package var isGone: Bool
  /// The guest's cookie is due for its daily renewal; true once.
  package var isCookieDue: Bool
  /// The store in use is away: this is the copy that is kept for good, and may lack the last changes.
  package var isFromArchive: Bool

  package init(cart: Cart, isGone: Bool = false, isCookieDue: Bool = false, isFromArchive: Bool = false) {
    self.cart = cart
    self.isGone = isGone
    self.isCookieDue = isCookieDue
    self.isFromArchive = isFromArchive
  }
}

/// A change with its conditions.
package struct ChangeRequest: Sendable {
  package var owner: CartOwner
  package var change: CartChange
  /// The owner is a guest whose id was made for this request.
  package var isNewGuest: Bool
  package var condition: VersionCondition?
  package var retryKey: RetryKey?
  /// Names the request in the record of changes; at most 64 printable ASCII bytes.
  package var requestID: String

  package init(
    owner: CartOwner, change: CartChange, isNewGuest: Bool = false, condition: VersionCondition? = nil,
    retryKey: RetryKey? = nil, requestID: String = ""
  ) {
    self.owner = owner
    self.change = change
    self.isNewGuest = isNewGuest
    self.condition = condition
    self.retryKey = retryKey
    self.requestID = requestID
  }
}

/// `If-Match`, reduced to versions.
package enum VersionCondition: Equatable, Sendable {
  /// `*`: any cart ever written.
  case written
  case oneOf([Int64])

  package func holds(for version: Int64) -> Bool {
    switch self {
    case .written: version > 0
    case .oneOf(let versions): versions.contains(version)
    }
  }
}

/// An `Idempotency-Key` as a cart's ring keeps it.
package struct RetryKey: Equatable, Sendable {
  /// How many keys a cart remembers.
  package static let remembered = 16
  package static let keyBytes = 8
  package static let requestBytes = 4

  /// The first ``keyBytes`` bytes of a cryptographic hash of the key.
  package let key: [UInt8]
  /// The first ``requestBytes`` bytes of a cryptographic hash of method, path and body.
  package let request: [UInt8]

  package init(key: [UInt8], request: [UInt8]) {
    precondition(key.count == Self.keyBytes && request.count == Self.requestBytes)
    self.key = key
    self.request = request
  }
}

extension RetryKey {
  /// So many bytes each of them takes in a ring.
  package static let ringBytes = keyBytes + requestBytes

  /// A ring as bytes: of each its key, then its request.
  package static func bytes(of ring: some Sequence<RetryKey>) -> [UInt8] { ring.flatMap { $0.key + $0.request } }

  /// Reads what ``bytes(of:)`` writes; `nil` for anything else, and for more than ``remembered``.
  package static func ring(from bytes: [UInt8]) -> [RetryKey]? {
    guard bytes.count.isMultiple(of: ringBytes), bytes.count <= ringBytes * remembered else { return nil }
    return stride(from: 0, to: bytes.count, by: ringBytes).map { start in
      let middle = start + keyBytes
      return RetryKey(key: Array(bytes[start..<middle]), request: Array(bytes[middle..<start + ringBytes]))
    }
  }
}

/// What became of a change, with the cart as it is after it.
package struct ChangeReading: Sendable {
  package enum Outcome: Equatable, Sendable {
    case changed
    case unchanged
    /// A retry of what took effect before; nothing was done again.
    case replayed
    /// The retry key belongs to another request.
    case keyReused
    /// ``ChangeRequest/condition`` does not hold.
    case versionMismatch
    case lineNotFound
    case refused([Violation])
    /// Changes of many lines have touched more of the cart than they may in a minute; nothing was done. It may be
    /// tried again after `seconds`.
    case limited(seconds: Int)
  }

  package var outcome: Outcome
  package var reading: CartReading

  package init(outcome: Outcome, reading: CartReading) {
    self.outcome = outcome
    self.reading = reading
  }
}

/// A store did not do what it was asked.
package struct StoreError: Error, Sendable, CustomStringConvertible {
  package enum Code: String, Sendable {
    /// It is away, hangs, refuses connections or is out of memory.
    case unavailable
    /// Others are working on the same, or the limit of requests is reached; nothing was done, and it may soon succeed.
    case overloaded
    /// It holds something that can't be read.
    case corrupt
  }

  package let code: Code
  /// Where and why, for the log; holds no cart, key or argument.
  package let message: String
  /// The change may have taken effect.
  package let isOutcomeUnknown: Bool
  /// The store was reached and failed at this request, by a time-out, a lock or a connection that broke meanwhile: it may
  /// answer others.
  package let wasReached: Bool

  package init(
    _ code: Code, _ message: String, isOutcomeUnknown: Bool = false, wasReached: Bool = false
  ) {
    self.code = code
    self.message = message
    self.isOutcomeUnknown = isOutcomeUnknown
    self.wasReached = wasReached
  }

  package var description: String { "\(code.rawValue): \(message)" }
}
