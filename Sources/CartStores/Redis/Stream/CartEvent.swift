import CartDomain

/// One change as the stream records it: what the syncer writes into the record of changes.
package struct CartEvent: Equatable, Sendable {
  struct Touch: Equatable, Sendable {
    var sku: SKU
    /// `nil` where the line came with this change.
    var before: LineItem?
    /// `nil` where the line went with this change.
    var after: LineItem?
  }

  /// Lines that were selected or deselected by a filter, and nothing else of them changed.
  struct Selection: Equatable, Sendable {
    /// What they became; before, they were the opposite.
    var isSelected: Bool
    /// Those that were not so before; at least one.
    var skus: [SKU]
  }

  /// Milliseconds and a number that tells events of one millisecond apart.
  var id: String
  var owner: CartOwner
  var epoch: Int64
  /// The cart's version after the change.
  var version: Int64
  var action: String
  var requestID: String
  /// The currency of all prices in it.
  var currency: Currency?
  /// Empty where there is a ``selection``.
  var touched: [Touch]
  /// A cart may have thousands of lines that are selected together: of each the event has no more than its name.
  var selection: Selection?

  /// When it was made, by Redis's clock.
  var at: Timestamp

  /// How many lines it touches.
  var touches: Int { selection?.skus.count ?? touched.count }

  /// Reads one entry as `XRANGE` and `XREAD` give it: id, then names and values in turns.
  ///
  /// - Throws: ``StoreError/Code/corrupt``.
  init(_ entry: borrowing RedisValue, keys: RedisKeys) throws(StoreError) {
    let id = try entry.element(0) { value throws(StoreError) in try value.string() }
    var texts: [String: String] = [:]
    var lines: [[UInt8]?] = []
    var skus: [[UInt8]?]?
    try entry.element(1) { fields throws(StoreError) in
      for index in stride(from: 0, to: (fields.count ?? 0) - 1, by: 2) {
        let name = try fields.element(index) { value throws(StoreError) in try value.string() } ?? ""
        try fields.element(index + 1) { value throws(StoreError) in
          switch name {
          case "l": lines = try Self.unpack(value)
          case "s": skus = try Self.unpack(value)
          default: texts[name] = try value.string()
          }
        }
      }
    }
    guard let id, let at = Int64(id.prefix { $0 != "-" }), let owner = texts["k"].flatMap(keys.owner),
      let epoch = texts["e"].flatMap({ Int64($0) }),
      let version = texts["v"].flatMap({ Int64($0) }), lines.count.isMultiple(of: 5)
    else { throw Self.corrupt }
    self.id = id
    self.at = Timestamp(milliseconds: at)
    self.owner = owner
    self.epoch = epoch
    self.version = version
    action = texts["a"] ?? ""
    requestID = texts["r"] ?? ""
    currency = texts["c"].flatMap { Currency($0) }
    selection = try Self.selection(flag: texts["f"], skus)
    guard selection == nil || lines.isEmpty else { throw Self.corrupt }
    touched = []
    for index in stride(from: 0, to: lines.count, by: 5) { touched.append(try Self.touch(lines[index..<index + 5])) }
  }

  private static func unpack(_ value: borrowing RedisValue) throws(StoreError) -> [[UInt8]?] {
    guard let packed = try value.withBytes({ PackedFields.unpack($0) }) ?? nil else { throw corrupt }
    return packed
  }

  /// What the lines became, and their SKUs; `nil` where the event has neither.
  private static func selection(flag: String?, _ names: [[UInt8]?]?) throws(StoreError) -> Selection? {
    if flag == nil, names == nil { return nil }
    guard let names, !names.isEmpty, flag == "0" || flag == "1" else { throw corrupt }
    var skus: [SKU] = []
    skus.reserveCapacity(names.count)
    for name in names {
      guard let name, let sku = SKU(utf8: name.span) else { throw corrupt }
      skus.append(sku)
    }
    return Selection(isSelected: flag == "1", skus: skus)
  }

  /// SKU, line before, line after, client data before, client data after.
  private static func touch(_ fields: ArraySlice<[UInt8]?>) throws(StoreError) -> Touch {
    let fields = Array(fields)
    guard let sku = fields[0].flatMap({ SKU(utf8: $0.span) }) else { throw corrupt }
    func line(_ value: [UInt8]?, _ data: [UInt8]?) throws(StoreError) -> LineItem? {
      guard let value else { return nil }
      var line = try LineItem(packed: value.span, of: sku)
      line.clientData = data
      return line
    }
    return Touch(sku: sku, before: try line(fields[1], fields[3]), after: try line(fields[2], fields[4]))
  }

  private static var corrupt: StoreError { StoreError(.corrupt, "Redis: an event of the stream") }
}
