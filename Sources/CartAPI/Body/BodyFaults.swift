import CartDomain
import CartJSON

/// A place in a body (RFC 6901).
struct BodyPointer {
  /// The whole body.
  static let root = BodyPointer(text: "")

  let text: String

  private init(text: String) { self.text = text }

  func member(_ name: String) -> BodyPointer {
    guard name.utf8.contains(where: { $0 == UInt8(ascii: "~") || $0 == UInt8(ascii: "/") }) else {
      return BodyPointer(text: "\(text)/\(name)")
    }
    var escaped: [UInt8] = []
    for byte in name.utf8 {
      switch byte {
      case UInt8(ascii: "~"): escaped += "~0".utf8
      case UInt8(ascii: "/"): escaped += "~1".utf8
      default: escaped.append(byte)
      }
    }
    return BodyPointer(text: "\(text)/\(String(decoding: escaped, as: UTF8.self))")
  }

  func element(_ index: Int) -> BodyPointer { BodyPointer(text: "\(text)/\(index)") }
}

/// Collects what is wrong with the fields of a body, so that a client hears of everything at once.
struct BodyFaults {
  /// A body may hold tens of thousands of faults; an answer lists no more than these.
  private static let maximumFaults = 100

  private(set) var faults: [Problem.Fault] = []

  mutating func add(_ code: ErrorCode, at pointer: BodyPointer, limit: Int? = nil) {
    guard faults.count < Self.maximumFaults else { return }
    faults.append(Problem.Fault(pointer: pointer.text, code: code, limit: limit))
  }

  /// Says which SKU the faults from position `start` on are about.
  mutating func name(_ sku: SKU, from start: Int) {
    for index in faults.indices.dropFirst(start) { faults[index].sku = sku.text }
  }

  /// - Throws: what was collected, if anything was.
  func check() throws(Problem) {
    if let problem = Problem(faults) { throw problem }
  }
}

/// The fields that several requests have in common. Each returns `nil`, and notes the fault, if the value is wrong.
extension BodyFaults {
  mutating func boolean(_ value: borrowing JSONValue, at pointer: BodyPointer) -> Bool? {
    let flag = value.boolean
    if flag == nil { add(.invalidField, at: pointer) }
    return flag
  }

  mutating func sku(_ value: borrowing JSONValue, at pointer: BodyPointer) -> SKU? {
    guard let text = value.string, let sku = SKU(text) else {
      add(.invalidField, at: pointer)
      return nil
    }
    return sku
  }

  /// A list of SKUs, each kept once; as many as a cart can hold.
  mutating func skus(_ value: borrowing JSONValue, at pointer: BodyPointer) -> [SKU]? {
    guard value.kind == .array else {
      add(.invalidField, at: pointer)
      return nil
    }
    guard value.count <= Cart.maximumLines else {
      add(.tooManyLines, at: pointer, limit: Cart.maximumLines)
      return nil
    }
    var skus: [SKU] = []
    var known: Set<SKU> = []
    for index in 0..<value.count {
      guard let element = value.element(index), let sku = sku(element, at: pointer.element(index)) else { continue }
      if known.insert(sku).inserted { skus.append(sku) }
    }
    return skus
  }

  /// An integer within `range`; a real is refused, even if it is whole.
  mutating func quantity(
    _ value: borrowing JSONValue, in range: ClosedRange<Int>, at pointer: BodyPointer
  ) -> Int? {
    guard let quantity = value.integer, range.contains(quantity) else {
      add(.invalidQuantity, at: pointer)
      return nil
    }
    return quantity
  }
}
