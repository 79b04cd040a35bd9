import CartDomain
import Foundation
import TestSupport
import Testing

/// One shopper on both sides: of the shop under test, and in the reference model.
private final class Twin {
  private let shopper: Shopper
  private let owner: CartOwner
  private let store: InMemoryCartStore
  private let catalogue: InMemoryCatalogue

  init(isGuest: Bool, shop: ModelShop) throws {
    shopper = isGuest ? shop.shop.newGuest() : shop.shop.newUser()
    catalogue = shop.catalogue
    store = InMemoryCartStore(catalogue: shop.catalogue, clock: Self.now)
    if isGuest {
      owner = .guest(try #require(GuestCartID("000000000" + uniqueText())))
    } else {
      owner = .user(try #require(UserID(shopper.user ?? "")))
    }
  }

  private static func now() -> Timestamp { Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1_000)) }

  /// Sends a command to both; what they disagree on, in words.
  func run(_ command: ModelCommand) throws -> String? {
    let version = try store.cart(of: owner).cart.version
    var request = ChangeRequest(
      owner: owner, change: command.change, isNewGuest: owner.isGuest && shopper.cookie == nil,
      retryKey: command.key.map { command.retryKey($0) })
    var condition = ""
    switch command.condition {
    case .none: break
    case .current:
      request.condition = .oneOf([version])
      condition = "\"\(version)-x\""
    case .stale:
      request.condition = .oneOf([version + 3])
      condition = "\"\(version + 3)-x\""
    case .written:
      request.condition = .written
      condition = "*"
    }
    // An empty header is none.
    let headers: KeyValuePairs = ["If-Match": condition, "Idempotency-Key": command.key.map { "key \($0)" } ?? ""]
    let answer = try shopper.send(command.method, command.target, command.body, headers: headers)
    return try difference(answer, try store.change(request))
  }

  /// Reads the cart on both sides.
  func difference() throws -> String? {
    try difference(shopper.cart(), store.cart(of: owner).cart)
  }

  private func difference(_ answer: Answer, _ reading: ChangeReading) throws -> String? {
    let body = answer.json
    let expected: (status: Int, code: String?)
    switch reading.outcome {
    case .changed, .unchanged, .replayed: expected = (200, nil)
    case .keyReused: expected = (422, "idempotency_key_reused")
    case .versionMismatch: expected = (412, "version_mismatch")
    case .lineNotFound: expected = (404, "line_not_found")
    case .limited: expected = (429, "rate_limited")
    case .refused(let violations):
      expected = (422, violations.first?.code.rawValue)
      let errors = body["errors"].elements.map { error in
        JSON.object(error.members.filter { $0.key != "pointer" })
      }
      if errors != violations.map(ModelCart.violation) { return "errors \(errors), the model has \(violations)" }
    }
    if answer.status != expected.status || body["code"].string != expected.code {
      return "answer \(answer.status) \(body["code"]), the model says \(reading.outcome)"
    }
    if (answer["Idempotent-Replayed"] == "true") != (reading.outcome == .replayed) {
      return "replayed: \(answer["Idempotent-Replayed"] ?? "no"), the model says \(reading.outcome)"
    }
    let shown = answer.status == 200 ? body : body["cart"]
    return shown == .absent ? try difference() : try difference(shown, reading.reading.cart)
  }

  private func difference(_ shown: JSON, _ cart: Cart) throws -> String? {
    let expected = try ModelCart.json(catalogue.view(of: cart, at: Self.now()))
    let found = ModelCart.timeless(shown)
    return found == expected ? nil : "cart     \(found)\nthe model \(expected)"
  }
}

/// Random sequences of changes give the same carts as in the reference model.
@Suite struct Model {
  /// `CART_TEST_SEED` repeats a run.
  static let seed = UInt64(ProcessInfo.processInfo.environment["CART_TEST_SEED"] ?? "") ?? .random(in: 0...999_999)

  /// Where a sequence goes apart, run from an empty cart.
  private func divergence(_ commands: [ModelCommand], isGuest: Bool, shop: ModelShop) throws -> String? {
    let twin = try Twin(isGuest: isGuest, shop: shop)
    for command in commands {
      if let difference = try twin.run(command) { return "after \(command.description)\n\(difference)" }
    }
    return try twin.difference()
  }

  /// Leaves out what the divergence does not need, for some seconds.
  private func shrunk(_ commands: [ModelCommand], isGuest: Bool, shop: ModelShop) throws -> [ModelCommand] {
    var commands = commands
    var index = commands.count - 1
    let start = ContinuousClock.now
    while index >= 0, ContinuousClock.now - start < .seconds(4) {
      var fewer = commands
      fewer.remove(at: index)
      if try divergence(fewer, isGuest: isGuest, shop: shop) != nil { commands = fewer }
      index -= 1
    }
    return commands
  }

  @Test(arguments: 0..<24)
  func randomSequences(number: Int) throws {
    let seed = Self.seed &+ UInt64(number)
    var numbers = SeededRandom(seed: seed)
    let shop = try ModelShop(openShop())
    let isGuest = number.isMultiple(of: 3)
    let commands = ModelCommand.sequence(of: 80, skus: shop.skus, using: &numbers)
    guard let first = try divergence(commands, isGuest: isGuest, shop: shop) else { return }
    let fewest = try shrunk(commands, isGuest: isGuest, shop: shop)
    let story = try divergence(fewest, isGuest: isGuest, shop: shop) ?? first
    Issue.record(
      "CART_TEST_SEED=\(Self.seed), sequence \(number):\n\(fewest.map(\.description).joined(separator: "\n"))\n\(story)"
    )
  }

  @Test func randomSequencesAroundAChangeOfTheCatalogue() throws {
    print("seed of the random sequences: CART_TEST_SEED=\(Self.seed)")
    var numbers = SeededRandom(seed: Self.seed)
    var shop = try ModelShop(openShop())
    let twins = try (0..<12).map { try Twin(isGuest: $0.isMultiple(of: 3), shop: shop) }
    for round in 0..<3 {
      if round > 0 {
        try shop.change(using: &numbers)
        for twin in twins { _ = try eventually(within: 1, { try twin.difference() }, until: { $0 == nil }) }
      }
      for (number, twin) in twins.enumerated() {
        for command in ModelCommand.sequence(of: 30, skus: shop.skus, using: &numbers) {
          let difference = try twin.run(command)
          #expect(
            difference == nil,
            "CART_TEST_SEED=\(Self.seed), round \(round), shopper \(number), after \(command.description)")
          if difference != nil { return }
        }
      }
    }
  }
}
