import CartDomain

extension Query {
  /// The filter of `DELETE /v1/cart/lines?…`: exactly one kind.
  ///
  /// - Throws: `invalid_field` for none, for several, for anything else in the query; `too_many_lines` beyond a hundred
  ///   SKUs.
  func lineFilter() throws(Problem) -> LineFilter {
    try allowOnly("sku", "selected", "merchantId", "view")
    let filters = parameters.filter { $0.name != "view" }
    guard let first = filters.first, filters.allSatisfy({ $0.name == first.name }) else {
      throw Problem(.invalidField, "Exactly one kind of filter is due: sku, selected=true or merchantId.")
    }
    if first.name == "sku" { return .skus(try Self.skus(filters)) }
    guard filters.count == 1 else { throw Problem(.invalidField, "The parameter \(first.name) stands once.") }
    if first.name == "selected", first.value == "true" { return .selected }
    if first.name == "merchantId", let merchant = first.value.flatMap(MerchantID.init) { return .merchant(merchant) }
    throw Problem(.invalidField, "The parameter \(first.name) has a value that it can't have.")
  }

  private static func skus(_ filters: [Parameter]) throws(Problem) -> [SKU] {
    guard filters.count <= AdditionBody.maximumEntries else {
      throw Problem(Problem.Fault(code: .tooManyLines, limit: AdditionBody.maximumEntries))
    }
    var skus: [SKU] = []
    for filter in filters {
      guard let sku = filter.value.flatMap(SKU.init) else {
        throw Problem(.invalidField, "The parameter sku names what can't be a SKU.")
      }
      if !skus.contains(sku) { skus.append(sku) }
    }
    return skus
  }
}
