import CartDomain
import CartJSON

/// The body of `PUT /v1/cart/selection`: a flag, and exactly one way to name the lines.
struct SelectionBody {
  let isSelected: Bool
  let filter: LineFilter

  /// - Throws: everything that is wrong with the fields.
  init(_ root: borrowing JSONValue) throws(Problem) {
    var faults = BodyFaults()
    var flag: Bool?
    var hasFlag = false
    var filter: LineFilter?
    var filters = 0
    if root.kind != .object { faults.add(.invalidField, at: .root) }
    root.forEachMember { name, value in
      let pointer = BodyPointer.root.member(name)
      switch name {
      case "selected":
        hasFlag = true
        flag = faults.boolean(value, at: pointer)
        return
      case "all":
        if value.boolean == true { filter = .all } else { faults.add(.invalidField, at: pointer) }
      case "merchantId":
        if let text = value.string, let merchant = MerchantID(text) {
          filter = .merchant(merchant)
        } else {
          faults.add(.invalidField, at: pointer)
        }
      case "skus": filter = faults.skus(value, at: pointer).map { .skus($0) }
      default:
        faults.add(.unknownField, at: pointer)
        return
      }
      filters += 1
      if filters > 1 { faults.add(.invalidField, at: pointer) }
    }
    if root.kind == .object, !hasFlag { faults.add(.invalidField, at: .root.member("selected")) }
    if root.kind == .object, filters == 0 { faults.add(.invalidField, at: .root) }
    try faults.check()
    guard let flag, let filter else { throw Problem(.invalidField) }
    self.isSelected = flag
    self.filter = filter
  }
}

/// The body of `POST /v1/cart/prices/acknowledge`: `{}` for every line, or these SKUs.
struct AcknowledgementBody {
  let filter: LineFilter

  /// - Throws: everything that is wrong with the fields.
  init(_ root: borrowing JSONValue) throws(Problem) {
    var faults = BodyFaults()
    var filter = LineFilter.all
    if root.kind != .object { faults.add(.invalidField, at: .root) }
    root.forEachMember { name, value in
      let pointer = BodyPointer.root.member(name)
      if name == "skus" {
        if let skus = faults.skus(value, at: pointer) { filter = .skus(skus) }
      } else {
        faults.add(.unknownField, at: pointer)
      }
    }
    try faults.check()
    self.filter = filter
  }
}

/// The body of a request that needs none: nothing, or `{}`.
enum EmptyBody {
  /// - Throws: everything that is wrong with the fields.
  static func check(_ call: Call) throws(Problem) {
    if call.request.body.isEmpty { return }
    let document = try call.document()
    var faults = BodyFaults()
    if document.root.kind != .object { faults.add(.invalidField, at: .root) }
    for name in document.root.memberNames { faults.add(.unknownField, at: .root.member(name)) }
    try faults.check()
  }
}
