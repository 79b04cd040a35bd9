import CartDomain
import CartJSON

/// The body of `PATCH /v1/cart/lines/{sku}`.
struct EditBody {
  let edit: LineEdit
  /// The field that says how many: what a broken limit points at.
  let quantityField: BodyPointer

  /// - Throws: everything that is wrong with the fields.
  init(_ root: borrowing JSONValue) throws(Problem) {
    var faults = BodyFaults()
    var edit = LineEdit()
    var hasQuantity = false
    var hasDelta = false
    if root.kind != .object || root.count == 0 { faults.add(.invalidField, at: .root) }
    root.forEachMember { name, value in
      let pointer = BodyPointer.root.member(name)
      switch name {
      case "quantity":
        hasQuantity = true
        edit.quantity = faults.quantity(value, in: 0...LineItem.maximumQuantity, at: pointer).map { .absolute($0) }
      case "delta":
        hasDelta = true
        let range = -LineItem.maximumQuantity...LineItem.maximumQuantity
        edit.quantity = faults.quantity(value, in: range, at: pointer).map { .delta($0) }
      case "selected": edit.isSelected = faults.boolean(value, at: pointer)
      case "extraData": edit.clientData = ClientData.read(value, at: pointer, faults: &faults)
      default: faults.add(.unknownField, at: pointer)
      }
    }
    quantityField = .root.member(hasDelta ? "delta" : "quantity")
    if hasQuantity, hasDelta { faults.add(.invalidField, at: quantityField) }
    try faults.check()
    self.edit = edit
  }
}
