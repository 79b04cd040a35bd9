import CartDomain
import TestSupport

/// One request of a random sequence, as HTTP sees it and as the model does.
struct ModelCommand {
  enum Condition { case none, current, stale, written }

  var method: String
  var target: String
  var body: JSON?
  var change: CartChange
  var condition = Condition.none
  /// The number of its `Idempotency-Key`.
  var key: Int?

  var description: String {
    "\(method) \(target) \(body?.description ?? "")"
      + (condition == .none ? "" : " If-Match: \(condition)") + (key.map { " Idempotency-Key: \($0)" } ?? "")
  }

  /// The key and the request as the model's ring keeps them.
  func retryKey(_ number: Int) -> RetryKey {
    var digest: UInt32 = 2_166_136_261
    for byte in "\(method) \(target) \(body?.description ?? "")".utf8 { digest = (digest ^ UInt32(byte)) &* 16_777_619 }
    return RetryKey(
      key: (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) },
      request: (0..<4).map { UInt8(truncatingIfNeeded: digest >> (8 * UInt32($0))) })
  }

  // MARK: At random

  static func sequence(of count: Int, skus: [String], using numbers: inout SeededRandom) -> [ModelCommand] {
    let names = skus.compactMap { SKU($0) }
    let changes = RandomChanges(
      often: Array(names.prefix(7)), all: names, merchants: ["m1", "m2"].compactMap { MerchantID($0) })
    var commands: [ModelCommand] = []
    for _ in 0..<count {
      var command = random(changes, using: &numbers)
      switch Int.random(in: 0..<20, using: &numbers) {
      case 0: command.condition = .stale
      case 1: command.condition = .written
      case 2, 3: command.condition = .current
      default: break
      }
      if Int.random(in: 0..<4, using: &numbers) == 0 { command.key = Int.random(in: 0..<30, using: &numbers) }
      commands.append(command)
      // A client that got no answer sends the same again, sooner or later.
      if Int.random(in: 0..<8, using: &numbers) == 0,
        let former = commands.filter({ $0.key != nil }).randomElement(using: &numbers)
      {
        commands.append(former)
      }
    }
    return commands
  }

  /// A change that can be asked for.
  private static func random(_ changes: RandomChanges, using numbers: inout SeededRandom) -> ModelCommand {
    while true {
      if let command = ModelCommand(changes.next(&numbers), isSingle: numbers.chance(50)) { return command }
    }
  }
}

extension ModelCommand {
  /// - Parameter isSingle: whether one added entry stands by itself, rather than in a list.
  private init?(_ change: CartChange, isSingle: Bool) {
    self.change = change
    switch change {
    case .add(let entries):
      let bodies = entries.map { entry in
        Self.with(entry.clientData, ["sku": "\(entry.sku.text)", "quantity": .int(entry.quantity)])
      }
      (method, target) = ("POST", "/v1/cart/lines")
      body = isSingle && bodies.count == 1 ? bodies[0] : ["lines": .array(bodies)]
    case .edit(let sku, let edit):
      var fields: JSON = [:]
      switch edit.quantity {
      case .absolute(let quantity): fields = ["quantity": .int(quantity)]
      case .delta(let delta): fields = ["delta": .int(delta)]
      case nil: break
      }
      if let isSelected = edit.isSelected { fields = fields.setting("selected", .bool(isSelected)) }
      fields = Self.with(edit.clientData, fields)
      if fields.keys.isEmpty { return nil }
      (method, target, body) = ("PATCH", linePath(sku.text), fields)
    case .remove(let filter):
      method = "DELETE"
      switch filter {
      case .all: target = "/v1/cart"
      case .selected: target = "/v1/cart/lines?selected=true"
      case .merchant(let merchant): target = "/v1/cart/lines?merchantId=\(merchant.text)"
      case .skus(let skus):
        target = "/v1/cart/lines?" + skus.map { "sku=" + percentEncoded($0.text) }.joined(separator: "&")
      }
    case .select(let flag, let filter):
      guard let lines = Self.lines(filter) else { return nil }
      (method, target, body) = ("PUT", "/v1/cart/selection", lines.setting("selected", .bool(flag)))
    case .acknowledgePrices(let filter):
      guard let lines = Self.lines(filter), !lines.keys.contains("merchantId") else { return nil }
      (method, target) = ("POST", "/v1/cart/prices/acknowledge")
      body = filter == .all ? [:] : lines
    }
  }

  private static func with(_ data: ClientDataEdit, _ fields: JSON) -> JSON {
    guard case .replace(let bytes) = data else { return fields }
    return fields.setting("extraData", (try? JSON(bytes)) ?? [:])
  }

  /// A filter as bodies write it.
  private static func lines(_ filter: LineFilter) -> JSON? {
    switch filter {
    case .all: ["all": true]
    case .selected: nil
    case .merchant(let merchant): ["merchantId": "\(merchant.text)"]
    case .skus(let skus): ["skus": .array(skus.map { "\($0.text)" })]
    }
  }
}
