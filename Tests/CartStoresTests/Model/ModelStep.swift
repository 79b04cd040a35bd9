import CartDomain

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

/// A generator that gives the same run for the same seed, anywhere (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }

  mutating func pick<Element>(_ elements: [Element]) -> Element { elements.randomElement(using: &self)! }
}

extension ModelStep {
  static let skus: [SKU] = [
    "A", "B", "C", "D", "E", "F", "a b", "é", "e\u{301}", "100%|{x}", "=", "#v", "+A", "a/b\"'\\", "日本", "none",
  ]
  static let merchants = ["main", "m|1%", "m2"]

  /// A few SKUs come often, so that steps meet.
  private static func anySKU(_ random: inout SeededGenerator) -> SKU {
    random.pick(random.chance(75) ? Array(skus.prefix(5)) : skus)
  }

  private static func anySold(_ random: inout SeededGenerator) -> SKU {
    random.pick(random.chance(75) ? Array(skus.prefix(5)) : skus.dropLast())
  }

  static func random(_ random: inout SeededGenerator) -> ModelStep {
    switch Int.random(in: 0..<100, using: &random) {
    case 0..<8: .read(owner: Int.random(in: 0..<3, using: &random))
    case 8..<16: .sell(anySold(&random), terms(&random))
    case 16..<20: .stock(anySold(&random), random.pick([nil, 0, 1, 5, 40]))
    default: .change(change(&random))
    }
  }

  static func terms(_ random: inout SeededGenerator) -> Terms {
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

  private static func change(_ random: inout SeededGenerator) -> ModelChange {
    var condition: Condition?
    switch Int.random(in: 0..<10, using: &random) {
    case 0: condition = .written
    case 1: condition = .near([0])
    case 2: condition = .near([-1, 3, 0])
    case 3: condition = .near([1])
    default: break
    }
    return ModelChange(
      owner: Int.random(in: 0..<3, using: &random), change: cartChange(&random), isNewGuest: random.chance(80),
      condition: condition,
      key: random.chance(50)
        ? (UInt8.random(in: 0..<24, using: &random), random.chance(90) ? 0 : 1) : nil)
  }

  private static func cartChange(_ random: inout SeededGenerator) -> CartChange {
    switch Int.random(in: 0..<100, using: &random) {
    case 0..<45:
      let count = random.chance(60) ? 1 : Int.random(in: 2...6, using: &random)
      return .add((0..<count).map { _ in addition(&random) })
    case 45..<70: return .edit(anySKU(&random), edit(&random))
    case 70..<80: return .remove(filter(&random))
    case 80..<92: return .select(random.chance(50), filter(&random))
    default: return .acknowledgePrices(filter(&random))
    }
  }

  private static func addition(_ random: inout SeededGenerator) -> LineAddition {
    LineAddition(
      sku: anySKU(&random),
      quantity: random.chance(85)
        ? Int.random(in: 1...6, using: &random) : random.pick([10, 500_000, 999_999, 1_000_000]),
      clientData: clientData(&random))
  }

  private static func edit(_ random: inout SeededGenerator) -> LineEdit {
    var edit = LineEdit()
    switch Int.random(in: 0..<4, using: &random) {
    case 0: edit.quantity = .absolute(random.pick([0, 1, 2, 3, 5, 10, 1_000_000]))
    case 1, 2: edit.quantity = .delta(random.pick([-1_000_000, -3, -1, 0, 1, 2, 5, 1_000_000]))
    default: break
    }
    if random.chance(25) { edit.isSelected = random.chance(50) }
    edit.clientData = clientData(&random)
    return edit
  }

  private static func clientData(_ random: inout SeededGenerator) -> ClientDataEdit {
    switch Int.random(in: 0..<10, using: &random) {
    case 0: .replace([])
    case 1: .replace(Array(#"{"gift":true}"#.utf8))
    case 2: .replace(Array("{\"note\":\"=|%-:\u{7F}é\"}".utf8))
    default: .keep
    }
  }

  private static func filter(_ random: inout SeededGenerator) -> LineFilter {
    switch Int.random(in: 0..<10, using: &random) {
    case 0: .all
    case 1, 2: .selected
    case 3, 4: .merchant(MerchantID(random.pick(merchants))!)
    default: .skus((0..<Int.random(in: 1...4, using: &random)).map { _ in anySKU(&random) })
    }
  }
}
