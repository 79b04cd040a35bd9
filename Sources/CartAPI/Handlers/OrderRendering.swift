package import CartDomain
package import CartJSON

extension JSONWriter {
  /// One order as the API shows it.
  ///
  /// - Parameter owner: told where it is not the one who asks.
  package mutating func order(_ order: Order, owner: CartOwner? = nil) {
    beginObject()
    if let owner {
      key("owner")
      string("\(owner.kind):\(owner.id)")
    }
    key("id")
    string(order.id.text)
    key("status")
    string(order.status.rawValue)
    key("currency")
    string(order.total.currency.code)
    key("minorUnit")
    integer(order.total.currency.minorUnit)
    key("total")
    integer(order.total.minorUnits)
    key("data")
    clientData(order.clientData)
    key("lines")
    beginArray()
    for line in order.lines { orderLine(line) }
    endArray()
    key("placedAt")
    string(order.placedAt.rfc3339)
    key("cartVersion")
    if let version = order.cartVersion { integer(version) } else { null() }
    endObject()
  }

  private mutating func orderLine(_ line: OrderLine) {
    beginObject()
    key("sku")
    string(line.sku.text)
    key("merchantId")
    string(line.merchantID.text)
    key("name")
    string(line.name)
    key("picture")
    string(line.picture)
    key("quantity")
    integer(line.quantity)
    key("unitPrice")
    integer(line.unitPrice)
    key("lineTotal")
    integer(line.lineTotal)
    key("extraData")
    clientData(line.clientData)
    endObject()
  }

  private mutating func clientData(_ data: [UInt8]?) {
    beginObject()
    if let data { members(of: data) }
    endObject()
  }
}
