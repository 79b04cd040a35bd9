package import CartDomain
package import CartJSON

extension JSONWriter {
  /// One order as the API shows it.
  ///
  /// - Parameter owner: shown unless the owner is the one who asks.
  package mutating func order(_ order: Order, owner: CartOwner? = nil) {
    object {
      if let owner { $0.field("owner", "\(owner.kind):\(owner.id)") }
      $0.field("id", order.id.text)
      $0.field("status", order.status.rawValue)
      $0.field("currency", order.total.currency.code)
      $0.field("minorUnit", order.total.currency.minorUnit)
      $0.field("total", order.total.minorUnits)
      $0.clientData("data", order.clientData)
      $0.array("lines") {
        for line in order.lines { $0.orderLine(line) }
      }
      $0.field("placedAt", order.placedAt)
      $0.field("cartVersion", order.cartVersion)
    }
  }

  private mutating func orderLine(_ line: OrderLine) {
    object {
      $0.field("sku", line.sku.text)
      $0.field("merchantId", line.merchantID.text)
      $0.field("name", line.name)
      $0.field("picture", line.picture)
      $0.field("quantity", line.quantity)
      $0.field("unitPrice", line.unitPrice)
      $0.field("lineTotal", line.lineTotal)
      $0.clientData("extraData", line.clientData)
    }
  }

  private mutating func clientData(_ name: StaticString, _ data: [UInt8]?) {
    object(name) {
      if let data { $0.members(of: data) }
    }
  }
}
