import CartDomain

/// A change in the arguments of its script.
struct ChangeArguments {
  let script: RedisScript
  /// The arguments behind the ones that all scripts share.
  let arguments: RedisCommand

  /// So many arguments each line of an add has; its SKU is the first.
  static let perAddition = 8

  /// The products stand in for the catalogue: those of ``CartChange/skusToLookUp(in:)``.
  ///
  /// - Parameters:
  ///   - now: Redis's time; sale windows are judged at it.
  ///   - touchLimit: as in ``RedisCartStore``.
  init(_ change: CartChange, products: [SKU: Product], at now: Timestamp, touchLimit: Int) {
    var arguments = RedisCommand()
    switch change {
    case .add(let entries):
      script = .add
      for entry in Self.united(entries) { arguments.append(entry, product: products[entry.sku], at: now) }
    case .edit(let sku, let edit):
      script = edit.clientData.bringsData ? .editWithData : .edit
      arguments.append(sku, edit, product: products[sku], at: now)
    case .remove(let filter):
      script = .remove
      arguments.append(touchLimit)
      arguments.append(filter)
    case .select(let flag, let filter):
      script = .select
      arguments.append(touchLimit)
      arguments.append(flag ? "1" : "0")
      arguments.append(filter)
    case .acknowledgePrices(let filter):
      script = .acknowledge
      arguments.append(touchLimit)
      arguments.append(products.count)
      for (sku, product) in products {
        arguments.append(sku.text)
        arguments.append(product.content.unitPrice.currency.code)
        arguments.append(product.packedTail)
      }
      arguments.append(filter)
    }
    self.arguments = arguments
  }

  /// One entry for each SKU, in the order of their first: quantities add up, the last client data stands.
  private static func united(_ entries: [LineAddition]) -> [LineAddition] {
    var united: [LineAddition] = []
    var positions: [SKU: Int] = [:]
    for entry in entries {
      guard let position = positions[entry.sku] else {
        positions[entry.sku] = united.count
        united.append(entry)
        continue
      }
      // At most 100 entries of 10⁶.
      united[position].quantity += entry.quantity
      if case .replace = entry.clientData { united[position].clientData = entry.clientData }
    }
    return united
  }
}

extension ClientDataEdit {
  fileprivate var bringsData: Bool {
    if case .replace(let data) = self { !data.isEmpty } else { false }
  }
}

extension RedisCommand {
  /// ``ChangeArguments/perAddition`` of them.
  fileprivate mutating func append(_ entry: LineAddition, product: Product?, at now: Timestamp) {
    append(entry.sku.text)
    append(entry.quantity)
    append(product?.allowance(at: now) ?? .nothing)
    append(product?.content.unitPrice.currency.code ?? "")
    append(product?.packedTail ?? "")
    append(entry.clientData)
  }

  fileprivate mutating func append(_ sku: SKU, _ edit: LineEdit, product: Product?, at now: Timestamp) {
    append(sku.text)
    switch edit.quantity {
    case .absolute(let quantity):
      append("=")
      append(quantity)
    case .delta(let difference):
      append("+")
      append(difference)
    case nil:
      append("")
      append("")
    }
    append(edit.isSelected.map { $0 ? "1" : "0" } ?? "")
    append(edit.clientData)
    append(product?.allowance(at: now) ?? .nothing)
    append(product?.content.unitPrice.currency.code ?? "")
    append(product?.content.unitPrice.minorUnits ?? 0)
  }

  fileprivate mutating func append(_ allowance: Allowance) {
    append(allowance.isPurchasable ? allowance.maximum : 0)
    append(allowance.minimum)
    append(allowance.step)
  }

  /// `=` keeps; it is no JSON object.
  fileprivate mutating func append(_ edit: ClientDataEdit) {
    switch edit {
    case .keep: append("=")
    case .replace(let data): append(data)
    }
  }

  fileprivate mutating func append(_ filter: LineFilter) {
    switch filter {
    case .all: append("all")
    case .selected: append("selected")
    case .merchant(let merchant):
      append("merchant")
      append(merchant.packed)
    case .skus(let skus):
      append("skus")
      for sku in skus { append(sku.text) }
    }
  }
}
