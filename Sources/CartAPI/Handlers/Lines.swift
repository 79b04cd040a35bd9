import CartDomain
import CartJSON

extension CartService {
  /// `POST /v1/cart/lines`.
  func addLines(_ call: Call) throws(Problem) -> HTTPResponse {
    let body = try AdditionBody(call.document().root)
    return try change(call, .add(body.entries), pointing: body.isList ? .list : .single)
  }

  /// `PATCH /v1/cart/lines/{sku}`.
  func editLine(_ call: Call) throws(Problem) -> HTTPResponse {
    let document = try call.document()
    let sku = try call.sku()
    let body = try EditBody(document.root)
    return try change(call, .edit(sku, body.edit), pointing: .field(body.quantityField))
  }

  /// `DELETE /v1/cart/lines/{sku}`.
  func removeLine(_ call: Call) throws(Problem) -> HTTPResponse {
    let sku = try call.sku()
    try call.query.allowOnly("view")
    return try change(call, .remove(.skus([sku])))
  }

  /// `DELETE /v1/cart/lines?…`.
  func removeLines(_ call: Call) throws(Problem) -> HTTPResponse {
    try change(call, .remove(call.query.lineFilter()))
  }

  /// `DELETE /v1/cart`.
  func clearCart(_ call: Call) throws(Problem) -> HTTPResponse {
    try call.query.allowOnly("view")
    return try change(call, .remove(.all))
  }

  /// `PUT /v1/cart/selection`.
  func selectLines(_ call: Call) throws(Problem) -> HTTPResponse {
    let body = try SelectionBody(call.document().root)
    return try change(call, .select(body.isSelected, body.filter))
  }

  /// `POST /v1/cart/prices/acknowledge`.
  func acknowledgePrices(_ call: Call) throws(Problem) -> HTTPResponse {
    try change(call, .acknowledgePrices(AcknowledgementBody(call.document().root).filter))
  }
}
