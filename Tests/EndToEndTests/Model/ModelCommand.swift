import CartDomain

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

  static func sequence(of count: Int, skus: [String], using numbers: inout SeededNumbers) -> [ModelCommand] {
    var commands: [ModelCommand] = []
    for _ in 0..<count {
      var command = random(skus: skus, using: &numbers)
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

  private static func random(skus: [String], using numbers: inout SeededNumbers) -> ModelCommand {
    switch Int.random(in: 0..<100, using: &numbers) {
    case 0..<40: adding(skus: skus, using: &numbers)
    case 40..<65: editing(skus: skus, using: &numbers)
    case 65..<82: removing(skus: skus, using: &numbers)
    case 82..<94: selecting(skus: skus, using: &numbers)
    default: acknowledging(skus: skus, using: &numbers)
    }
  }

  private static func adding(skus: [String], using numbers: inout SeededNumbers) -> ModelCommand {
    let isSingle = Bool.random(using: &numbers)
    var entries: [LineAddition] = []
    var bodies: [JSON] = []
    for _ in 0..<(isSingle ? 1 : Int.random(in: 1...6, using: &numbers)) {
      let sku = likelySold(skus, using: &numbers)
      let quantity = [1, 1, 2, 3, 4, 8, 999_999].randomElement(using: &numbers) ?? 1
      let data = randomData(using: &numbers)
      entries.append(LineAddition(sku: name(sku), quantity: quantity, clientData: edit(data)))
      var body: JSON = ["sku": "\(sku)", "quantity": .int(quantity)]
      if let data { body = body.setting("extraData", data) }
      bodies.append(body)
    }
    return ModelCommand(
      method: "POST", target: "/v1/cart/lines", body: isSingle ? bodies[0] : ["lines": .array(bodies)],
      change: .add(entries))
  }

  private static func editing(skus: [String], using numbers: inout SeededNumbers) -> ModelCommand {
    let sku = likelySold(skus, using: &numbers)
    var edit = LineEdit()
    var body: JSON = [:]
    let kinds = Int.random(in: 1...7, using: &numbers)
    if kinds & 1 != 0 {
      if Bool.random(using: &numbers) {
        let quantity = Int.random(in: 0...10, using: &numbers)
        edit.quantity = .absolute(quantity)
        body = body.setting("quantity", .int(quantity))
      } else {
        let delta = [-1_000_000, -3, -1, 0, 1, 2, 5, 1_000_000].randomElement(using: &numbers) ?? 0
        edit.quantity = .delta(delta)
        body = body.setting("delta", .int(delta))
      }
    }
    if kinds & 2 != 0 {
      let flag = Bool.random(using: &numbers)
      edit.isSelected = flag
      body = body.setting("selected", .bool(flag))
    }
    if kinds & 4 != 0 {
      let data = randomData(using: &numbers) ?? [:]
      edit.clientData = self.edit(data)
      body = body.setting("extraData", data)
    }
    return ModelCommand(method: "PATCH", target: linePath(sku), body: body, change: .edit(name(sku), edit))
  }

  private static func removing(skus: [String], using numbers: inout SeededNumbers) -> ModelCommand {
    let some = skus.shuffled(using: &numbers).prefix(Int.random(in: 1...3, using: &numbers))
    switch Int.random(in: 0..<10, using: &numbers) {
    case 0: return ModelCommand(method: "DELETE", target: "/v1/cart", change: .remove(.all))
    case 1:
      return ModelCommand(method: "DELETE", target: "/v1/cart/lines?selected=true", change: .remove(.selected))
    case 2:
      let merchant = MerchantID("m2") ?? .main
      return ModelCommand(
        method: "DELETE", target: "/v1/cart/lines?merchantId=m2", change: .remove(.merchant(merchant)))
    case 3, 4:
      let query = some.map { "sku=" + percentEncoded($0) }.joined(separator: "&")
      return ModelCommand(
        method: "DELETE", target: "/v1/cart/lines?" + query, change: .remove(.skus(some.map(name))))
    default:
      return ModelCommand(method: "DELETE", target: linePath(some[0]), change: .remove(.skus([name(some[0])])))
    }
  }

  private static func selecting(skus: [String], using numbers: inout SeededNumbers) -> ModelCommand {
    let flag = Bool.random(using: &numbers)
    let some = Array(skus.shuffled(using: &numbers).prefix(3))
    let filter: LineFilter
    let body: JSON
    switch Int.random(in: 0..<3, using: &numbers) {
    case 0: (filter, body) = (.all, ["selected": .bool(flag), "all": true])
    case 1: (filter, body) = (.merchant(MerchantID("m1") ?? .main), ["selected": .bool(flag), "merchantId": "m1"])
    default:
      (filter, body) = (.skus(some.map(name)), ["selected": .bool(flag), "skus": .array(some.map { "\($0)" })])
    }
    return ModelCommand(method: "PUT", target: "/v1/cart/selection", body: body, change: .select(flag, filter))
  }

  private static func acknowledging(skus: [String], using numbers: inout SeededNumbers) -> ModelCommand {
    let some = Array(skus.shuffled(using: &numbers).prefix(2))
    let isAll = Bool.random(using: &numbers)
    return ModelCommand(
      method: "POST", target: "/v1/cart/prices/acknowledge", body: isAll ? [:] : ["skus": .array(some.map { "\($0)" })],
      change: .acknowledgePrices(isAll ? .all : .skus(some.map(name))))
  }

  // MARK: Pieces

  /// Mostly one of the first seven, so that not every bulk holds something that can't be bought.
  private static func likelySold(_ skus: [String], using numbers: inout SeededNumbers) -> String {
    let isLikely = Int.random(in: 0..<12, using: &numbers) > 0
    return (isLikely ? skus.prefix(7) : skus[...]).randomElement(using: &numbers) ?? skus[0]
  }

  private static func randomData(using numbers: inout SeededNumbers) -> JSON? {
    switch Int.random(in: 0..<6, using: &numbers) {
    case 0: ["gift": true]
    case 1: ["note": "für dich", "size": .int(Int.random(in: 1...3, using: &numbers))]
    case 2: [:]
    default: nil
    }
  }

  /// The model keeps compact JSON, as a store does; nothing for an empty object.
  private static func edit(_ data: JSON?) -> ClientDataEdit {
    guard let data else { return .keep }
    return .replace(data.keys.isEmpty ? [] : Array(data.description.utf8))
  }

  private static func name(_ text: String) -> SKU {
    guard let sku = SKU(text) else { preconditionFailure("the model's shop has a SKU that is none: \(text)") }
    return sku
  }
}
