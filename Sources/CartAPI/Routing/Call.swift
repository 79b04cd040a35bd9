import CartDomain

/// A request on its way to its handler: routed, and checked as far as that needs no body.
struct Call {
  let request: HTTPRequest
  let target: RequestTarget
  /// The part of the path that the route leaves open, decoded.
  let argument: String?
  let shopper: Shopper
  /// What has become of the guest's cart that a user brought along, before the request itself; `nil` for none.
  var merge: MergeReading?
  let query: Query

  /// The SKU that the path names.
  ///
  /// - Throws: `invalid_field` for what can't be one.
  func sku() throws(Problem) -> SKU {
    guard let argument, let sku = SKU(argument) else {
      throw Problem(.invalidField, "The path names what can't be a SKU.")
    }
    return sku
  }
}
