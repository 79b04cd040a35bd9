import CartDomain
import Glibc
import Testing

@testable import CartStores

/// The implementations that keep to the contract of ``CartStore``.
enum StoreKind: String, CaseIterable, Sendable {
  case memory, redis

  static var present: [StoreKind] {
    RedisTesting.address == nil || PostgresTesting.database == nil ? [.memory] : allCases
  }
}

/// A store with a shop of its own behind it.
final class StoreUnderTest {
  let shop = Shop()
  let store: any CartStore
  /// `nil` for the reference.
  private let stores: TwoStores?
  var connection: RedisConnection? { stores?.redis }

  /// - Parameter touchLimit: of Redis; the reference knows none.
  init(_ kind: StoreKind, touchLimit: Int = 0) throws {
    switch kind {
    case .memory:
      stores = nil
      store = InMemoryCartStore(catalogue: shop.reference) { RealTime.now }
    case .redis:
      let stores = try TwoStores(shop: shop, touchLimit: touchLimit)
      self.stores = stores
      store = stores.store
    }
  }

  /// Makes what the shop sells now known to the store.
  func publish() throws { try stores?.publish() }

  func change(
    _ owner: CartOwner, _ change: CartChange, isNew: Bool = false, condition: VersionCondition? = nil,
    key: RetryKey? = nil
  ) throws -> ChangeReading {
    try store.change(
      ChangeRequest(
        owner: owner, change: change, isNewGuest: isNew, condition: condition, retryKey: key, requestID: "request"))
  }

  @discardableResult
  func add(
    _ owner: CartOwner, _ sku: SKU, _ quantity: Int = 1, isNew: Bool = true, data: ClientDataEdit = .keep,
    key: RetryKey? = nil
  ) throws -> ChangeReading {
    try change(
      owner, .add([LineAddition(sku: sku, quantity: quantity, clientData: data)]), isNew: isNew, key: key)
  }

  /// Gives a cart so many lines: `s0`, `s1` and on.
  func fill(_ owner: CartOwner, lines: Int) throws {
    for start in stride(from: 0, to: lines, by: 100) {
      let skus = (start..<min(start + 100, lines)).map { SKU("s\($0)")! }
      for sku in skus { shop.put(sku) }
      try publish()
      let entries = skus.map { LineAddition(sku: $0, quantity: 1) }
      #expect(try change(owner, .add(entries), isNew: true).outcome == .changed)
    }
  }
}

enum RealTime {
  static var now: Timestamp {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
  }
}
