import CartDomain
import CartJSON

/// The body of `POST /v1/cart/lines`: one entry, or a list of them under `lines`.
struct AdditionBody {
  static let maximumEntries = 100

  let entries: [LineAddition]
  let isList: Bool

  /// - Throws: everything that is wrong with the fields.
  init(_ root: borrowing JSONValue) throws(Problem) {
    var faults = BodyFaults()
    if let lines = root.member("lines") {
      isList = true
      entries = Self.list(lines, faults: &faults)
      for name in root.memberNames where name != "lines" {
        let isField = ["sku", "quantity", "extraData"].contains(name)
        faults.add(isField ? .invalidField : .unknownField, at: .root.member(name))
      }
    } else {
      isList = false
      entries = Self.entry(root, at: .root, faults: &faults).map { [$0] } ?? []
    }
    try faults.check()
  }

  private static func list(_ lines: borrowing JSONValue, faults: inout BodyFaults) -> [LineAddition] {
    let pointer = BodyPointer.root.member("lines")
    guard lines.kind == .array, lines.count > 0 else {
      faults.add(.invalidField, at: pointer)
      return []
    }
    guard lines.count <= maximumEntries else {
      faults.add(.tooManyLines, at: pointer, limit: maximumEntries)
      return []
    }
    var entries: [LineAddition] = []
    entries.reserveCapacity(lines.count)
    for index in 0..<lines.count {
      if let line = lines.element(index), let entry = entry(line, at: pointer.element(index), faults: &faults) {
        entries.append(entry)
      }
    }
    return entries
  }

  private static func entry(
    _ value: borrowing JSONValue, at pointer: BodyPointer, faults: inout BodyFaults
  ) -> LineAddition? {
    guard value.kind == .object else {
      faults.add(.invalidField, at: pointer)
      return nil
    }
    let start = faults.faults.count
    var sku: SKU?
    var quantity: Int? = 1
    var clientData = ClientDataEdit.keep
    var hasSKU = false
    value.forEachMember { name, value in
      let pointer = pointer.member(name)
      switch name {
      case "sku":
        hasSKU = true
        sku = faults.sku(value, at: pointer)
      case "quantity": quantity = faults.quantity(value, in: 1...LineItem.maximumQuantity, at: pointer)
      case "extraData": clientData = ClientData.read(value, at: pointer, faults: &faults)
      default: faults.add(.unknownField, at: pointer)
      }
    }
    if !hasSKU { faults.add(.invalidField, at: pointer.member("sku")) }
    guard let sku else { return nil }
    faults.name(sku, from: start)
    return quantity.map { LineAddition(sku: sku, quantity: $0, clientData: clientData) }
  }
}
