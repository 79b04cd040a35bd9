import CartDomain
import CartJSON

/// The body of `POST /v1/orders`.
struct OrderBody {
  /// Of ``clientData``, as compact JSON.
  static let maximumDataBytes = 4096

  let expectedTotal: Int64
  let cartVersion: Int64?
  let skus: [SKU]?
  let clientData: [UInt8]?

  /// - Throws: everything that is wrong with the fields.
  init(_ root: borrowing JSONValue) throws(Problem) {
    var faults = BodyFaults()
    var total: Int64?
    var hasTotal = false
    var version: Int64?
    var skus: [SKU]?
    var data: [UInt8]?
    if root.kind != .object { faults.add(.invalidField, at: .root) }
    root.forEachMember { name, value in
      let pointer = BodyPointer.root.member(name)
      switch name {
      case "expectedTotal":
        hasTotal = true
        total = faults.count(value, at: pointer)
      case "cartVersion": version = faults.count(value, at: pointer)
      case "skus": skus = faults.skus(value, at: pointer)
      case "data": data = Self.data(value, at: pointer, faults: &faults)
      default: faults.add(.unknownField, at: pointer)
      }
    }
    if root.kind == .object, !hasTotal { faults.add(.invalidField, at: .root.member("expectedTotal")) }
    try faults.check()
    guard let total else { throw Problem(.invalidField) }
    expectedTotal = total
    cartVersion = version
    self.skus = skus
    clientData = data
  }

  /// An object, kept as canonical JSON; `nil` for an empty one.
  private static func data(
    _ value: borrowing JSONValue, at pointer: BodyPointer, faults: inout BodyFaults
  ) -> [UInt8]? {
    guard value.kind == .object else {
      faults.add(.invalidField, at: pointer)
      return nil
    }
    if value.count == 0 { return nil }
    let data = value.canonicalBytes
    if data.count > maximumDataBytes { faults.add(.extraDataTooLarge, at: pointer, limit: maximumDataBytes) }
    return data
  }
}

extension BodyFaults {
  /// A whole number from 0 to the largest that every JSON reader keeps.
  fileprivate mutating func count(_ value: borrowing JSONValue, at pointer: BodyPointer) -> Int64? {
    guard let number = value.integer, (0...Int(Money.maximumTotal)).contains(number) else {
      add(.invalidField, at: pointer)
      return nil
    }
    return Int64(number)
  }
}
