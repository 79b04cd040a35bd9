import CartDomain
import TestSupport

@testable import CartStores

/// One step of a random run. It names everything relatively, so that a run from which steps were taken out still makes
/// sense.
enum ModelStep: CustomStringConvertible {
  case read(owner: Int)
  case change(ModelChange)
  case sell(SKU, Terms)
  case stock(SKU, Int?)

  struct ModelChange {
    var owner: Int
    var change: CartChange
    var isNewGuest: Bool
    var condition: Condition?
    var key: (key: UInt8, request: UInt8)?
  }

  enum Condition {
    case written
    /// Relative to the version that the cart has.
    case near([Int64])
  }

  /// What a product is sold for.
  struct Terms {
    var price: Int64
    var currency: String
    var stock: Int?
    var merchant: String
    var purchaseLimit: Int?
    var customerLimit: Int?
    var minimum: Int?
    var step: Int?
    var from: Int64?
    var until: Int64?
    var isActive: Bool
  }

  var description: String {
    switch self {
    case .read(let owner): "read \(owner)"
    case .change(let change):
      "change \(change.owner)\(change.isNewGuest ? " new" : "") \(change.change)"
        + " if \(change.condition.map { "\($0)" } ?? "-") key \(change.key.map { "\($0)" } ?? "-")"
    case .sell(let sku, let terms): "sell \(sku) \(terms)"
    case .stock(let sku, let stock): "stock \(sku) \(stock.map { "\($0)" } ?? "-")"
    }
  }
}

extension ModelStep {
  static let skus: [SKU] = [
    "A", "B", "C", "D", "E", "F", "a b", "é", "e\u{301}", "100%|{x}", "=", "#v", "+A", "a/b\"'\\", "日本", "none",
  ]
  static let merchants = ["main", "m|1%", "m2"]

  private static let changes = RandomChanges(
    often: Array(skus.prefix(5)), all: skus, merchants: merchants.compactMap { MerchantID($0) })

  private static func anySold(_ random: inout SeededRandom) -> SKU {
    random.pick(random.chance(75) ? Array(skus.prefix(5)) : skus.dropLast())
  }

  static func random(_ random: inout SeededRandom) -> ModelStep {
    switch Int.random(in: 0..<100, using: &random) {
    case 0..<8: .read(owner: Int.random(in: 0..<3, using: &random))
    case 8..<16: .sell(anySold(&random), terms(&random))
    case 16..<20: .stock(anySold(&random), random.pick([nil, 0, 1, 5, 40]))
    default: .change(change(&random))
    }
  }

  static func terms(_ random: inout SeededRandom) -> Terms {
    Terms(
      price: random.pick([0, 1, 100, 255, 255, 299, 1_000_000_000]),
      currency: random.chance(85) ? "GBP" : random.pick(["EUR", "JPY"]),
      stock: random.chance(60) ? nil : random.pick([0, 1, 5, 100]), merchant: random.pick(merchants),
      purchaseLimit: random.chance(80) ? nil : random.pick([1, 6, 1_000_000]),
      customerLimit: random.chance(85) ? nil : random.pick([2, 10]),
      minimum: random.chance(85) ? nil : random.pick([1, 3]), step: random.chance(85) ? nil : random.pick([1, 2, 5]),
      from: random.chance(90) ? nil : random.pick([1_000, 4_000_000_000]),
      until: random.chance(90) ? nil : random.pick([2_000, 4_100_000_000]), isActive: random.chance(92))
  }

  private static func change(_ random: inout SeededRandom) -> ModelChange {
    var condition: Condition?
    switch Int.random(in: 0..<10, using: &random) {
    case 0: condition = .written
    case 1: condition = .near([0])
    case 2: condition = .near([-1, 3, 0])
    case 3: condition = .near([1])
    default: break
    }
    return ModelChange(
      owner: Int.random(in: 0..<3, using: &random), change: changes.next(&random), isNewGuest: random.chance(80),
      condition: condition,
      key: random.chance(50)
        ? (UInt8.random(in: 0..<24, using: &random), random.chance(90) ? 0 : 1) : nil)
  }
}
