package import CartDomain
import CartJSON

/// One row of `cart_inbox`.
package struct InboxCommand: Equatable, Sendable {
  package var owner: CartOwner
  package var number: Int64
  /// The number of the command before it.
  package var previous: Int64
  package var command: CartCommand
  /// Names the request that led to it, in the record of changes.
  package var requestID: String

  package init(owner: CartOwner, number: Int64, previous: Int64, command: CartCommand, requestID: String) {
    self.owner = owner
    self.number = number
    self.previous = previous
    self.command = command
    self.requestID = requestID
  }

  /// Reads owner, number, previous, action, payload and request id.
  ///
  /// - Throws: ``StoreError/Code/corrupt``.
  init(_ rows: borrowing PostgresResult, _ row: Int) throws(StoreError) {
    guard let owner = CartOwner(kind: rows.text(row, 0) ?? "", id: rows.text(row, 1) ?? ""),
      let number = rows.integer(row, 2), let previous = rows.integer(row, 3),
      let command = CartCommand(action: rows.text(row, 4) ?? "", payload: rows.text(row, 5) ?? "")
    else { throw StoreError(.corrupt, "PostgreSQL: a command for a cart can't be read") }
    self.init(
      owner: owner, number: number, previous: previous, command: command, requestID: rows.text(row, 6) ?? "")
  }
}

extension CartCommand {
  private static let longestPayload = 64 << 20

  /// The column `payload`.
  package var payload: String {
    var writer = JSONWriter()
    writer.beginObject()
    switch self {
    case .take(let lines):
      writer.key("lines")
      writer.beginArray()
      for line in lines {
        writer.beginObject()
        writer.key("sku")
        writer.string(line.sku.text)
        writer.key("quantity")
        writer.integer(line.quantity)
        writer.key("born")
        writer.integer(line.born)
        writer.endObject()
      }
      writer.endArray()
    case .merge(let merge):
      writer.key("guest")
      writer.string(merge.guest.text)
      writer.key("strategy")
      writer.string(merge.strategy.rawValue)
      writer.key("currency")
      writer.string(merge.currency?.code)
      writer.key("ring")
      writer.string(CartRow.text(of: merge.ring))
      writer.key("lines")
      writer.beginArray()
      for entry in merge.lines {
        writer.beginObject()
        writer.key("most")
        writer.integer(entry.maximum)
        writer.key("line")
        entry.line.writeRow(with: &writer)
        writer.endObject()
      }
      writer.endArray()
    }
    writer.endObject()
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  /// `nil` where `payload` is not what ``payload`` makes.
  init?(action: String, payload: String) {
    guard let document = try? JSONDocument(parsing: Array(payload.utf8).span, maximumBytes: Self.longestPayload)
    else { return nil }
    switch action {
    case "order":
      guard let lines = document.root.member("lines")?.compactElements({ CartCommand.taken($0) }) else { return nil }
      self = .take(lines)
    case "merge":
      guard let merge = Self.merge(document.root) else { return nil }
      self = .merge(merge)
    default: return nil
    }
  }

  private static func taken(_ value: borrowing JSONValue) -> TakenLine? {
    guard let sku = value.member("sku")?.string.flatMap(SKU.init), let quantity = value.member("quantity")?.integer,
      quantity > 0, let born = value.member("born")?.integer
    else { return nil }
    return TakenLine(sku: sku, quantity: quantity, born: Int64(born))
  }

  private static func merge(_ value: borrowing JSONValue) -> CartMerge? {
    guard let guest = value.member("guest")?.string.flatMap(GuestCartID.init),
      let strategy = value.member("strategy")?.string.flatMap(MergeStrategy.init(rawValue:)),
      let ring = value.member("ring")?.string.flatMap({ CartRow.ring(hex: String($0.dropFirst(2))) }),
      let lines = value.member("lines")?.compactElements({ CartCommand.mergedLine($0) })
    else { return nil }
    let currency = value.member("currency")?.string.flatMap { Currency($0) }
    return CartMerge(guest: guest, strategy: strategy, currency: currency, lines: lines, ring: ring)
  }

  private static func mergedLine(_ value: borrowing JSONValue) -> CartMerge.Line? {
    guard let most = value.member("most"), most.isNull || most.integer != nil, let member = value.member("line"),
      let line = LineItem(row: member)
    else { return nil }
    return CartMerge.Line(line: line, maximum: most.integer)
  }
}

extension JSONValue {
  /// All elements as `read` makes them; `nil` where this is no array or one of them can't be read.
  fileprivate func compactElements<Element>(_ read: (borrowing JSONValue) -> Element?) -> [Element]? {
    guard kind == .array else { return nil }
    var elements: [Element] = []
    elements.reserveCapacity(count)
    var isWhole = true
    forEachElement { _, value in
      if let element = read(value) { elements.append(element) } else { isWhole = false }
    }
    return isWhole ? elements : nil
  }
}
