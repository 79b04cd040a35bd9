import CartDomain
import TestSupport
import Testing

/// What may be bought, and how many.
@Suite struct PurchaseRules {
  @Test func anAllowancePermitsWhatBreaksNoRule() throws {
    var random = SeededRandom(seed: 1)
    func maybe<Value>(_ value: Value) -> Value? { Bool.random(using: &random) ? value : nil }
    func number(_ most: Int) -> Int { Int.random(in: 1...most, using: &random) }
    var permitted = 0
    for _ in 0..<4_000 {
      let product = try product("A", stock: maybe(number(30) - 1)) { content in
        content.purchaseLimit = maybe(number(30))
        content.customerLimit = maybe(number(30))
        content.minimumQuantity = maybe(number(8))
        content.quantityStep = maybe(number(5))
        content.availableFrom = maybe(opening.adding(milliseconds: Int64(number(5) - 3)))
        content.availableUntil = maybe(opening.adding(milliseconds: Int64(number(5) - 3)))
        content.isActive = number(10) > 1
      }
      let allowance = product.allowance(at: opening)
      for quantity in [number(40), number(40), 1_000_000, 1_000_001] {
        let violations = product.violations(quantity: quantity, in: maybe(try currency("GBP")), at: opening)
        #expect(allowance.permits(quantity) == violations.isEmpty, "\(product.content) \(quantity)")
        if violations.isEmpty { permitted += 1 }
      }
      #expect(allowance.isPurchasable == product.isPurchasable(at: opening))
    }
    #expect(permitted > 500)
    #expect(!Allowance.nothing.permits(0))
    #expect(!Allowance.nothing.permits(1))
  }

  @Test func theSaleWindowIsHalfOpen() throws {
    let product = try product("A") { content in
      content.availableFrom = opening
      content.availableUntil = opening.adding(milliseconds: 1_000)
    }
    let expected: [(Int64, ViolationCode?)] = [(-1, .notOnSaleYet), (0, nil), (999, nil), (1_000, .noLongerOnSale)]
    for (offset, code) in expected {
      #expect(product.content.saleRefusal(at: opening.adding(milliseconds: offset)) == code)
    }
  }

  @Test func aProductThatIsNotSoldBreaksOneRuleAlone() throws {
    let retired = try product("A", stock: 0) { content in
      content.isActive = false
      content.purchaseLimit = 1
    }
    #expect(
      retired.violations(quantity: 5, in: nil, at: opening) == [Violation(.notPurchasable, sku: try sku("A"))])
    let sold = try product("A", stock: 0) { $0.purchaseLimit = 1 }
    #expect(
      sold.violations(quantity: 5, in: try currency("EUR"), at: opening)
        == [Violation(.currencyMismatch, sku: try sku("A"))])
  }

  @Test func everyBrokenLimitIsTold() throws {
    let product = try product("A", stock: 3) { content in
      content.purchaseLimit = 2
      content.customerLimit = 1
      content.minimumQuantity = 7
      content.quantityStep = 5
    }
    let found = product.violations(quantity: 6, in: nil, at: opening)
    #expect(
      found.map(\.code) == [.insufficientStock, .purchaseLimit, .customerLimit, .minimumQuantity, .quantityStep])
    #expect(found.map(\.limit) == [nil, 2, 1, 7, 5])
    #expect(found.map(\.available) == [3, nil, nil, nil, nil])
    #expect(found.allSatisfy { $0.requested == 6 })
  }
}
