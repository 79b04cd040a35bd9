import CartDomain
import CartJSON

/// A cart as its row in PostgreSQL holds it. The shape between the two stores is ``CartHash``: this file turns one into
/// columns and columns into one, and each direction is the other's inverse.
package struct CartRow: Equatable, Sendable {
  /// The copy; its epoch is the copy's own. What only Redis knows (its lineage, what is persisted) is at its default.
  package var hash: CartHash
  /// The highest epoch that was handed out for this cart.
  package var maximumEpoch: Int64
  /// The last command that was put into the cart's inbox.
  package var lastCommand: Int64
  /// Redis let go of the cart as it is here.
  package var isReleased: Bool
}

extension CartRow {
  /// A cart that was lost goes on at the next multiple of it.
  static let versionStep: Int64 = 1_000_000

  /// What ``init(_:_:from:)`` reads, in its order.
  static let columns = """
    c.owner_kind, c.owner_id, c.epoch, c.data_epoch, c.version, c.currency, c.clock, c.lines, encode(c.retry_ring, 'hex'),
    c.inbox_number, c.inbox_applied, c.state, c.merged_into, c.is_released,
    extract(epoch FROM c.cookie_renewed_at)::bigint, extract(epoch FROM c.expires_at)::bigint
    """

  /// Reads a row.
  ///
  /// - Throws: ``StoreError/Code/corrupt``.
  init(_ rows: borrowing PostgresResult, _ row: Int) throws(StoreError) {
    guard let owner = CartOwner(kind: rows.text(row, 0) ?? "", id: rows.text(row, 1) ?? ""),
      let maximumEpoch = rows.integer(row, 2), let epoch = rows.integer(row, 3), let version = rows.integer(row, 4),
      let clock = rows.integer(row, 6), let lines = rows.text(row, 7),
      let ring = rows.text(row, 8).flatMap(Self.ring(hex:)), let lastCommand = rows.integer(row, 9),
      let applied = rows.integer(row, 10), let state = rows.integer(row, 11).flatMap(CartHash.State.init),
      let isReleased = rows.boolean(row, 13)
    else { throw Self.corrupt }
    var cart = Cart(owner: owner)
    cart.version = version
    cart.currency = rows.text(row, 5).flatMap { Currency($0) }
    cart.clock = clock
    cart.lines = try Self.lines(json: lines)
    cart.expiresAt = rows.integer(row, 15).map { Timestamp(seconds: $0) }
    guard cart.lines.isEmpty == (cart.currency == nil) else { throw Self.corrupt }
    hash = CartHash(cart: cart)
    hash.epoch = epoch
    hash.inboxNumber = applied
    hash.state = state
    hash.mergedInto = rows.text(row, 12)
    hash.cookieRenewedSecond = rows.integer(row, 14) ?? 0
    hash.ring = ring
    self.maximumEpoch = maximumEpoch
    self.lastCommand = lastCommand
    self.isReleased = isReleased
  }

  private static var corrupt: StoreError { StoreError(.corrupt, "PostgreSQL: a cart can't be read") }
}

// MARK: - Lines

extension CartRow {
  /// A cart's lines as the column `lines` holds them.
  static func json(of lines: [LineItem]) -> String {
    var writer = JSONWriter(capacity: 64 + lines.count * 192)
    writer.array { for line in lines { line.writeRow(with: &$0) } }
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  private static let longestLines = 64 << 20

  static func lines(json text: String) throws(StoreError) -> [LineItem] {
    do throws(JSONError) {
      let document = try JSONDocument(parsing: Array(text.utf8).span, maximumBytes: longestLines)
      var lines: [LineItem?] = []
      lines.reserveCapacity(document.root.count)
      document.root.forEachElement { _, value in lines.append(LineItem(row: value)) }
      let read = lines.compactMap { $0 }
      if read.count == lines.count { return read }
    } catch {}
    throw corrupt
  }
}

// MARK: - The ring of retry keys

extension CartRow {
  /// The ring as a `bytea` in text form.
  static func text(of ring: [RetryKey]) -> String {
    var text = "\\x"
    for byte in RetryKey.bytes(of: ring) { text += (byte < 16 ? "0" : "") + String(byte, radix: 16) }
    return text
  }

  static func ring(hex text: String) -> [RetryKey]? {
    let digits = Array(text.utf8)
    guard digits.count.isMultiple(of: 2) else { return nil }
    var bytes: [UInt8] = []
    for index in stride(from: 0, to: digits.count, by: 2) {
      guard let byte = UInt8(String(decoding: digits[index...index + 1], as: UTF8.self), radix: 16) else { return nil }
      bytes.append(byte)
    }
    return RetryKey.ring(from: bytes)
  }
}
