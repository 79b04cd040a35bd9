import CartDomain
import Testing

@testable import CartStores

/// Each sentence of the contract of ``CartStore``, on every implementation.
@Suite("The contract of a cart store") struct CartStoreContractTests {
  @Test("A missing cart reads as one never written", arguments: StoreKind.present)
  func missing(_ kind: StoreKind) throws {
    let test = try StoreUnderTest(kind)
    let user = try test.store.cart(of: .anyUser())
    #expect(user.cart.version == 0 && user.cart.lines.isEmpty && user.cart.currency == nil && !user.isGone)
    let guest = try test.store.cart(of: .anyGuest())
    #expect(guest.cart.version == 0 && guest.isGone && guest.cart.expiresAt == nil)
  }

  @Test("Only an add makes a cart, and a guest's only with a new id", arguments: StoreKind.present)
  func birth(_ kind: StoreKind) throws {
    let test = try StoreUnderTest(kind)
    test.shop.put("A")
    let user = CartOwner.anyUser()
    let key = RetryKey(1)
    #expect(try test.change(user, .remove(.all), key: key).outcome == .unchanged)
    #expect(try test.change(user, .edit("A", LineEdit(quantity: .absolute(2))), key: key).outcome == .lineNotFound)
    #expect(try test.change(user, .remove(.all), condition: .written).outcome == .versionMismatch)
    #expect(try test.change(user, .select(true, .all), condition: .oneOf([0])).outcome == .unchanged)
    if let connection = test.connection {
      #expect(try connection.run("EXISTS", connection.keys.cart(of: user), connection.keys.stream) == "0")
    }
    #expect(try test.add(user, "A", key: key).outcome == .changed)
    let refused = try test.add(.anyGuest(), "A", isNew: false)
    #expect(refused.outcome == .unchanged && refused.reading.isGone && refused.reading.cart.version == 0)
    let guest = CartOwner.anyGuest()
    let made = try test.add(guest, "A", isNew: true)
    #expect(made.outcome == .changed && !made.reading.isGone && made.reading.cart.version == 1)
    #expect(try test.add(guest, "A", isNew: false).reading.cart["A"]?.quantity == 2)
  }

  @Test("Every change raises the version by 1, what changes nothing leaves it", arguments: StoreKind.present)
  func version(_ kind: StoreKind) throws {
    let test = try StoreUnderTest(kind)
    let user = CartOwner.anyUser()
    test.shop.put("A")
    test.shop.put("B")
    var version: Int64 = 0
    func expect(
      _ change: CartChange, _ outcome: ChangeReading.Outcome, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
      if outcome == .changed { version += 1 }
      let answer = try test.change(user, change)
      #expect(answer.outcome == outcome, sourceLocation: sourceLocation)
      #expect(answer.reading.cart.version == version, sourceLocation: sourceLocation)
      #expect(try test.store.cart(of: user).cart == answer.reading.cart, sourceLocation: sourceLocation)
    }
    try expect(.add([LineAddition(sku: "A", quantity: 2), LineAddition(sku: "B", quantity: 1)]), .changed)
    try expect(.edit("A", LineEdit(quantity: .absolute(2))), .unchanged)
    try expect(.edit("A", LineEdit(quantity: .delta(0))), .unchanged)
    try expect(.edit("A", LineEdit(clientData: .replace([]))), .unchanged)
    try expect(.edit("A", LineEdit(clientData: .replace(Array("{\"gift\":true}".utf8)))), .changed)
    try expect(.edit("A", LineEdit(isSelected: true, clientData: .keep)), .unchanged)
    try expect(.select(true, .all), .unchanged)
    try expect(.select(false, .skus(["A", "missing"])), .changed)
    try expect(.select(false, .selected), .changed)
    try expect(.remove(.selected), .unchanged)
    try expect(.remove(.merchant(MerchantID("other")!)), .unchanged)
    try expect(.acknowledgePrices(.all), .unchanged)
    try expect(.edit("A", LineEdit(quantity: .delta(-5))), .changed)
    try expect(.edit("A", LineEdit(quantity: .absolute(1))), .lineNotFound)
    try expect(.remove(.all), .changed)
    try expect(.remove(.all), .unchanged)
  }

  @Test("Retry comes before the version, the version before the rules", arguments: StoreKind.present)
  func order(_ kind: StoreKind) throws {
    let test = try StoreUnderTest(kind)
    let user = CartOwner.anyUser()
    test.shop.put("A", stock: 5)
    #expect(try test.add(user, "A", 5, key: RetryKey(1)).outcome == .changed)
    let add = CartChange.add([LineAddition(sku: "A", quantity: 5)])
    let wrong = VersionCondition.oneOf([7, 8])
    #expect(try test.change(user, add, condition: wrong, key: RetryKey(1)).outcome == .replayed)
    #expect(try test.change(user, add, condition: wrong, key: RetryKey(1, request: 9)).outcome == .keyReused)
    #expect(try test.change(user, add, condition: wrong, key: RetryKey(2)).outcome == .versionMismatch)
    let refused = try test.change(user, add, condition: .oneOf([3, 1]), key: RetryKey(2))
    #expect(
      refused.outcome
        == .refused([Violation(.insufficientStock, sku: "A", requested: 10, available: 5, entry: 0)]))
    #expect(refused.reading.cart["A"]?.quantity == 5)
    #expect(try test.change(user, .remove(.all), condition: .written, key: RetryKey(2)).outcome == .changed)
  }

  @Test("Sixteen keys are remembered, of what changed nothing too; refusals are not", arguments: StoreKind.present)
  func ring(_ kind: StoreKind) throws {
    let test = try StoreUnderTest(kind)
    let user = CartOwner.anyUser()
    test.shop.put("A", stock: 30)
    for key in 0..<16 { #expect(try test.add(user, "A", key: RetryKey(UInt8(key))).outcome == .changed) }
    #expect(try test.add(user, "A", 100, key: RetryKey(99)).reading.cart.version == 16)
    #expect(try test.add(user, "A", key: RetryKey(0)).outcome == .replayed)
    #expect(try test.change(user, .select(true, .all), key: RetryKey(16)).outcome == .unchanged)
    #expect(try test.change(user, .select(true, .all), key: RetryKey(16)).outcome == .replayed)
    #expect(try test.add(user, "A", key: RetryKey(1)).outcome == .replayed)
    #expect(try test.add(user, "A", key: RetryKey(0)).outcome == .changed)
    #expect(try test.store.cart(of: user).cart["A"]?.quantity == 17)
  }

  @Test("An add is done as a whole or not at all", arguments: StoreKind.present)
  func wholeOrNothing(_ kind: StoreKind) throws {
    let test = try StoreUnderTest(kind)
    let user = CartOwner.anyUser()
    test.shop.put("A") { $0.minimumQuantity = 4 }
    test.shop.put("B", stock: 0)
    test.shop.put("C", currency: "EUR")
    test.shop.put("D") { $0.isActive = false }
    let entries: [LineAddition] = [
      LineAddition(sku: "A", quantity: 2), LineAddition(sku: "B", quantity: 1), LineAddition(sku: "C", quantity: 1),
      LineAddition(sku: "D", quantity: 1), LineAddition(sku: "none", quantity: 1), LineAddition(sku: "A", quantity: 1),
    ]
    let answer = try test.change(user, .add(entries))
    #expect(
      answer.outcome
        == .refused([
          Violation(.outOfStock, sku: "B", requested: 1, available: 0, entry: 1),
          Violation(.currencyMismatch, sku: "C", entry: 2), Violation(.notPurchasable, sku: "D", entry: 3),
          Violation(.unknownSKU, sku: "none", entry: 4),
          Violation(.minimumQuantity, sku: "A", requested: 3, limit: 4, entry: 5),
        ]))
    #expect(answer.reading.cart.version == 0)
    let added = try test.change(
      user, .add([LineAddition(sku: "A", quantity: 2), LineAddition(sku: "A", quantity: 2)]))
    #expect(added.reading.cart["A"]?.quantity == 4 && added.reading.cart.version == 1)
  }

  @Test("A cart has one currency; emptied, it takes the next line's", arguments: StoreKind.present)
  func currency(_ kind: StoreKind) throws {
    let test = try StoreUnderTest(kind)
    let user = CartOwner.anyUser()
    test.shop.put("A", currency: "GBP")
    test.shop.put("E", currency: "EUR")
    #expect(try test.add(user, "A").reading.cart.currency?.code == "GBP")
    #expect(try test.add(user, "E").outcome == .refused([Violation(.currencyMismatch, sku: "E", entry: 0)]))
    #expect(try test.change(user, .remove(.skus(["A"]))).reading.cart.currency == nil)
    #expect(try test.add(user, "E").reading.cart.currency?.code == "EUR")
  }

  @Test("A line keeps its place until it goes; an add takes the snapshot anew", arguments: StoreKind.present)
  func places(_ kind: StoreKind) throws {
    let test = try StoreUnderTest(kind)
    let user = CartOwner.anyUser()
    for sku: SKU in ["C", "A", "B"] { test.shop.put(sku, price: 10, merchant: "one|two%") }
    _ = try test.change(
      user, .add(["C", "A", "C", "B"].map { (sku: SKU) in LineAddition(sku: sku, quantity: 1) }))
    #expect(try test.store.cart(of: user).cart.lines.map(\.sku) == ["C", "A", "B"])
    let renewed = test.shop.put("C", price: 12, merchant: "two")
    try test.publish()
    _ = try test.change(user, .select(false, .merchant(MerchantID("one|two%")!)))
    var cart = try test.add(user, "C").reading.cart
    #expect(cart.lines.map(\.sku) == ["C", "A", "B"])
    #expect(cart.lines.map(\.isSelected) == [true, false, false])
    #expect(cart.lines.map(\.version) == [3, 2, 2])
    #expect(cart["C"]?.unitPrice == 12 && cart["C"]?.revision == renewed.revision.id)
    #expect(cart["C"]?.merchantID.text == "two" && cart["A"]?.merchantID.text == "one|two%")
    _ = try test.change(user, .remove(.skus(["C"])))
    cart = try test.add(user, "C").reading.cart
    #expect(cart.lines.map(\.sku) == ["A", "B", "C"])
    let stamps = cart.lines.map(\.born)
    #expect(stamps == stamps.sorted() && Set(stamps).count == 3 && cart.clock == stamps.last)
  }

  @Test("Acknowledged lines take the current price, the others keep theirs", arguments: StoreKind.present)
  func acknowledge(_ kind: StoreKind) throws {
    let test = try StoreUnderTest(kind)
    let user = CartOwner.anyUser()
    for sku: SKU in ["A", "B", "C", "D", "E"] { test.shop.put(sku, price: 10, merchant: sku == "A" ? "m" : "main") }
    _ = try test.change(
      user, .add(["A", "B", "C", "D", "E"].map { (sku: SKU) in LineAddition(sku: sku, quantity: 1) }))
    for sku: SKU in ["A", "B", "C"] { test.shop.put(sku, price: 20, merchant: sku == "A" ? "m" : "main") }
    test.shop.put("D", price: 20, currency: "EUR")
    test.shop.put("E", price: 10) { $0.name = "renamed" }
    try test.publish()
    func prices(_ change: CartChange) throws -> [Int64] {
      try test.change(user, change).reading.cart.lines.map(\.unitPrice)
    }
    #expect(try prices(.acknowledgePrices(.skus(["B", "none"]))) == [10, 20, 10, 10, 10])
    #expect(try prices(.acknowledgePrices(.merchant(MerchantID("m")!))) == [20, 20, 10, 10, 10])
    #expect(try prices(.acknowledgePrices(.all)) == [20, 20, 20, 10, 10])
    #expect(try test.change(user, .acknowledgePrices(.all)).outcome == .unchanged)
    #expect(try test.store.cart(of: user).cart.version == 4)
  }

  @Test("Lowering, selecting and removing work whatever the product's state", arguments: StoreKind.present)
  func alwaysAllowed(_ kind: StoreKind) throws {
    let test = try StoreUnderTest(kind)
    let user = CartOwner.anyUser()
    test.shop.put("A") { $0.quantityStep = 5 }
    try test.add(user, "A", 10)
    test.shop.put("A", stock: 0) {
      $0.quantityStep = 5
      $0.isActive = false
    }
    try test.publish()
    #expect(try test.change(user, .edit("A", LineEdit(quantity: .absolute(7)))).outcome == .changed)
    #expect(
      try test.change(user, .edit("A", LineEdit(quantity: .absolute(8)))).outcome
        == .refused([Violation(.notPurchasable, sku: "A")]))
    #expect(try test.change(user, .select(false, .all)).outcome == .changed)
    #expect(try test.change(user, .select(true, .all)).outcome == .changed)
    #expect(try test.change(user, .edit("A", LineEdit(quantity: .absolute(0)))).outcome == .changed)
  }

  @Test("A total stays below 2⁵³, a cart within 2,000 lines", arguments: StoreKind.present)
  func bounds(_ kind: StoreKind) throws {
    let test = try StoreUnderTest(kind)
    let dear = CartOwner.anyUser()
    let skus = (0..<10).map { SKU("dear\($0)")! }
    for sku in skus { test.shop.put(sku, price: 1_000_000_000) }
    for sku in skus.prefix(9) { try test.add(dear, sku, 1_000_000) }
    // Nine times 10¹⁵ is 7,199,254,740,991 below 2⁵³: room for 7,199 more.
    #expect(try test.add(dear, skus[9], 7_200).outcome == .refused([Violation(.totalTooLarge, entry: 0)]))
    #expect(try test.add(dear, skus[9], 7_199).outcome == .changed)
    #expect(
      try test.change(dear, .edit(skus[9], LineEdit(quantity: .delta(1)))).outcome
        == .refused([Violation(.totalTooLarge, sku: skus[9], requested: 7_200)]))
    #expect(try test.change(dear, .edit(skus[9], LineEdit(quantity: .delta(-1)))).outcome == .changed)
    // A raised line counts at the current price, whatever it was added at.
    test.shop.put(skus[9], price: 1)
    try test.publish()
    #expect(try test.change(dear, .edit(skus[9], LineEdit(quantity: .absolute(8_000)))).outcome == .changed)
    let full = CartOwner.anyUser()
    try test.fill(full, lines: 2_000)
    #expect(try test.add(full, skus[0]).outcome == .refused([Violation(.tooManyLines, limit: 2_000, entry: 0)]))
    #expect(try test.add(full, "s7").reading.cart["s7"]?.quantity == 2)
    #expect(try test.change(full, .select(false, .all)).reading.cart.lines.allSatisfy { !$0.isSelected })
    let cleared = try test.change(full, .remove(.all)).reading.cart
    #expect(cleared.lines.isEmpty && cleared.version == 23)
  }

  @Test("Client data is replaced, cleared or kept", arguments: StoreKind.present)
  func clientData(_ kind: StoreKind) throws {
    let test = try StoreUnderTest(kind)
    let user = CartOwner.anyUser()
    test.shop.put("A")
    let data = Array(#"{"note":"a|b%=:\u0000","n":1}"#.utf8)
    #expect(try test.add(user, "A", data: .replace(data)).reading.cart["A"]?.clientData == data)
    #expect(try test.add(user, "A").reading.cart["A"]?.clientData == data)
    #expect(try test.change(user, .select(false, .all)).reading.cart["A"]?.clientData == data)
    #expect(try test.add(user, "A", data: .replace([])).reading.cart["A"]?.clientData == nil)
    #expect(
      try test.change(user, .edit("A", LineEdit(clientData: .replace(data)))).reading.cart["A"]?.clientData == data)
    #expect(try test.store.cart(of: user).cart["A"]?.clientData == data)
    _ = try test.change(user, .remove(.all))
    #expect(try test.add(user, "A").reading.cart["A"]?.clientData == nil)
  }

  @Test("A guest's cart lives thirty days after its last change; a user's has no end", arguments: StoreKind.present)
  func life(_ kind: StoreKind) throws {
    let test = try StoreUnderTest(kind)
    test.shop.put("A")
    #expect(try test.add(.anyUser(), "A").reading.cart.expiresAt == nil)
    let guest = CartOwner.anyGuest()
    let made = try test.add(guest, "A").reading
    let lifetime = Cart.guestLifetimeMilliseconds / 1000
    let end = try #require(made.cart.expiresAt).seconds
    #expect(abs(end - RealTime.now.seconds - lifetime) <= 2 && !made.isCookieDue)
    #expect(try test.store.cart(of: guest).cart.expiresAt == made.cart.expiresAt)
  }
}
