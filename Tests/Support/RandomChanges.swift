package import CartDomain

/// Changes of a cart at random.
package struct RandomChanges {
  /// Come three times in four, so that changes meet.
  private let often: [SKU]
  private let all: [SKU]
  private let merchants: [MerchantID]

  package init(often: [SKU], all: [SKU], merchants: [MerchantID]) {
    self.often = often
    self.all = all
    self.merchants = merchants
  }

  package func sku(_ random: inout SeededRandom) -> SKU { random.pick(random.chance(75) ? often : all) }

  package func next(_ random: inout SeededRandom) -> CartChange {
    switch Int.random(in: 0..<100, using: &random) {
    case 0..<45:
      let count = random.chance(60) ? 1 : Int.random(in: 2...6, using: &random)
      return .add((0..<count).map { _ in addition(&random) })
    case 45..<70: return .edit(sku(&random), edit(&random))
    case 70..<80: return .remove(filter(&random))
    case 80..<92: return .select(random.chance(50), filter(&random))
    default: return .acknowledgePrices(filter(&random))
    }
  }

  private func addition(_ random: inout SeededRandom) -> LineAddition {
    LineAddition(
      sku: sku(&random),
      quantity: random.chance(85)
        ? Int.random(in: 1...6, using: &random) : random.pick([8, 10, 500_000, 999_999, 1_000_000]),
      clientData: clientData(&random))
  }

  private func edit(_ random: inout SeededRandom) -> LineEdit {
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

  /// One compact JSON object, as a store keeps it.
  private func clientData(_ random: inout SeededRandom) -> ClientDataEdit {
    switch Int.random(in: 0..<10, using: &random) {
    case 0: .replace([])
    case 1: .replace(Array(#"{"gift":true}"#.utf8))
    case 2: .replace(Array("{\"note\":\"=|%-:\u{7F}é\"}".utf8))
    default: .keep
    }
  }

  private func filter(_ random: inout SeededRandom) -> LineFilter {
    switch Int.random(in: 0..<10, using: &random) {
    case 0: .all
    case 1, 2: .selected
    case 3, 4: .merchant(random.pick(merchants))
    default: .skus((0..<Int.random(in: 1...4, using: &random)).map { _ in sku(&random) })
    }
  }
}
