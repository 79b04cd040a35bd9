import CartDomain

/// Stock that one worker could not have in time, a moment ago: whoever holds it may hold it for long. Until it was had
/// again, its orders get less of what other products' orders need as well.
struct HeldStock {
  /// By the monotonic clock in milliseconds; 0 once it was had.
  private var since = BoundedCache<SKU, Int64>(capacity: 256)

  private static let memoryMilliseconds: Int64 = 5_000

  mutating func contains(anyOf skus: [SKU]) -> Bool {
    let earliest = RedisClock.monotonic - Self.memoryMilliseconds
    return skus.contains { sku in since.value(for: sku).map { $0 > earliest } ?? false }
  }

  mutating func insert(_ skus: [SKU]) {
    for sku in skus { since.insert(RedisClock.monotonic, for: sku) }
  }

  mutating func remove(_ skus: [SKU]) {
    for sku in skus where since.value(for: sku) != nil { since.insert(0, for: sku) }
  }
}
