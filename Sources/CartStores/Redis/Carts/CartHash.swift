package import CartDomain

/// A cart as its hash in Redis holds it: the cart, and what the store keeps beside it.
///
/// The fields:
///
///     =<SKU>   the packed line (LineCodec.swift)
///     +<SKU>   the client's own keys, compact JSON; only where there are any
///     #v       version           #l  history            #e  epoch
///     #c       currency          #u  clock, the last `born` given
///     #x, #k   of a guest: the second of the cart's end, the second of the cookie's last renewal
///     #p, #d   persisted version and the database lineage it is persisted in
///     #i       number of the last inbox command applied
///     #h       1 where a line may be heavier than ``largeLineThreshold``
///     #s, #o   state (1 merging, 2 merged); how and into which user's it merges: `sum user-id`
///     #t       time at which the bucket of lines is full again (limit.lua); no part of what is kept for good
///     #r0–#r3  the ring of retry keys, newest first, 12 bytes each
///
/// A meta field at its default is left out. The ring stands in four fields of at most 60 bytes, because one value of
/// more than `hash-max-listpack-value` (64 by default) would turn the whole hash into a table of several times the size.
package struct CartHash: Equatable, Sendable {
  package enum State: Int64, Sendable {
    case open = 0
    /// Frozen, while PostgreSQL takes it in.
    case merging = 1
    case merged = 2
  }

  package var cart: Cart
  package var history: Int64 = 0
  package var epoch: Int64 = 0
  package var persistedVersion: Int64 = 0
  package var databaseLineage: String?
  package var inboxNumber: Int64 = 0
  package var state = State.open
  package var mergedInto: String?
  package var cookieRenewedSecond: Int64 = 0
  /// The newest first.
  package var ring: [RetryKey] = []

  package init(cart: Cart) { self.cart = cart }
}

// MARK: - Reading

extension CartHash {
  /// Reads names and values in turns, as `HGETALL` and the scripts give them; a null value is a field that is gone.
  /// Meta fields of other versions are passed over.
  ///
  /// - Returns: `nil` where there is no field at all.
  /// - Throws: ``StoreError/Code/corrupt``.
  init?(owner: CartOwner, fields: borrowing RedisValue) throws(StoreError) {
    guard let count = fields.count else { throw .unexpectedReply }
    if count == 0 { return nil }
    self.init(cart: Cart(owner: owner))
    cart.lines.reserveCapacity(count / 2)
    var ring: [[UInt8]] = []
    var data: [(sku: SKU, bytes: [UInt8])] = []
    try fields.forEachPair { name, value throws(StoreError) in
      if value.isNull { return }
      if name.isEmpty { throw .corruptCart("field name") }
      let rest = name.extracting(1...)
      switch name[0] {
      case UInt8(ascii: "="):
        guard let sku = SKU(utf8: rest) else { throw .corruptCart("line") }
        let line = try value.withBytes { span throws(StoreError) in try LineItem(packed: span, of: sku) }
        if let line { cart.lines.append(line) }
      case UInt8(ascii: "+"):
        guard let sku = SKU(utf8: rest), let bytes = try value.bytes() else { throw .corruptCart("client data") }
        data.append((sku, bytes))
      case UInt8(ascii: "#"):
        if !rest.isEmpty, rest[0] == UInt8(ascii: "r") {
          try readRing(rest.extracting(1...), value, into: &ring)
        } else if rest.count == 1 {
          try readMeta(rest[0], value)
        }
      default: throw .corruptCart("field name")
      }
    }
    try finish(ring: ring, data: data)
  }

  private mutating func readMeta(_ name: UInt8, _ value: borrowing RedisValue) throws(StoreError) {
    switch name {
    case UInt8(ascii: "v"): cart.version = try value.decimal()
    case UInt8(ascii: "u"): cart.clock = try value.decimal()
    case UInt8(ascii: "x"): cart.expiresAt = try Self.timestamp(second: value.decimal())
    case UInt8(ascii: "k"): cookieRenewedSecond = try value.decimal()
    case UInt8(ascii: "l"): history = try value.decimal()
    case UInt8(ascii: "e"): epoch = try value.decimal()
    case UInt8(ascii: "p"): persistedVersion = try value.decimal()
    case UInt8(ascii: "d"): databaseLineage = try value.string()
    case UInt8(ascii: "i"): inboxNumber = try value.decimal()
    case UInt8(ascii: "o"): mergedInto = try value.string()
    case UInt8(ascii: "s"):
      guard let state = State(rawValue: try value.decimal()) else { throw .corruptCart("state") }
      self.state = state
    case UInt8(ascii: "c"):
      guard let currency = Currency(try value.string() ?? "") else { throw .corruptCart("currency") }
      cart.currency = currency
    default: break
    }
  }

  private static func timestamp(second: Int64) throws(StoreError) -> Timestamp {
    guard second < 1 << 40 else { throw .corruptCart("end") }
    return Timestamp(seconds: second)
  }

  private func readRing(
    _ number: Span<UInt8>, _ value: borrowing RedisValue, into ring: inout [[UInt8]]
  ) throws(StoreError) {
    guard let part = Int64(decimal: number).map(Int.init), part < 4, let bytes = try value.bytes() else {
      throw .corruptCart("ring")
    }
    while ring.count <= part { ring.append([]) }
    ring[part] = bytes
  }

  private mutating func finish(ring parts: [[UInt8]], data: [(sku: SKU, bytes: [UInt8])]) throws(StoreError) {
    guard let ring = RetryKey.ring(from: parts.flatMap { $0 }) else { throw .corruptCart("ring") }
    self.ring = ring
    // A small hash keeps the order in which its fields came.
    if !cart.lines.indices.dropFirst().allSatisfy({ cart.lines[$0 - 1].born < cart.lines[$0].born }) {
      cart.lines.sort { ($0.born, $0.sku) < ($1.born, $1.sku) }
    }
    guard cart.lines.isEmpty == (cart.currency == nil) else { throw .corruptCart("currency") }
    if data.isEmpty { return }
    var positions: [SKU: Int] = [:]
    for (position, line) in cart.lines.enumerated() { positions[line.sku] = position }
    for (sku, bytes) in data {
      guard let position = positions[sku] else { throw .corruptCart("client data") }
      cart.lines[position].clientData = bytes
    }
  }
}

extension RedisValue {
  /// An unsigned decimal number.
  fileprivate borrowing func decimal() throws(StoreError) -> Int64 {
    guard let number = try withBytes({ span in Int64(decimal: span) }) ?? nil else { throw .corruptCart("number") }
    return number
  }
}

// MARK: - Writing

extension CartHash {
  /// All fields, names and values in turns, as `HSET` takes them: what ``init(owner:fields:)`` reads.
  var fields: RedisCommand {
    var fields = RedisCommand()
    func put(_ name: String, _ number: Int64) {
      if number == 0 { return }
      fields.append(name)
      fields.append(number)
    }
    func put(_ name: String, _ text: String?) {
      guard let text else { return }
      fields.append(name)
      fields.append(text)
    }
    put("#v", cart.version)
    put("#l", history)
    put("#e", epoch)
    put("#c", cart.currency?.code)
    put("#u", cart.clock)
    put("#x", cart.expiresAt?.seconds ?? 0)
    put("#k", cookieRenewedSecond)
    put("#p", persistedVersion)
    put("#d", databaseLineage)
    put("#i", inboxNumber)
    put("#s", state.rawValue)
    put("#o", mergedInto)
    put("#h", cart.lines.contains { Int64($0.quantity) * $0.unitPrice > Self.largeLineThreshold } ? 1 : 0)
    let bytes = RetryKey.bytes(of: ring)
    for (part, start) in stride(from: 0, to: bytes.count, by: Self.ringPart).enumerated() {
      fields.append("#r\(part)")
      fields.append(bytes[start..<min(start + Self.ringPart, bytes.count)])
    }
    for line in cart.lines {
      put("=" + line.sku.text, line.packed)
      if let data = line.clientData {
        fields.append("+" + line.sku.text)
        fields.append(data)
      }
    }
    return fields
  }

  /// A line's total up to which as many lines as a cart may have stay within the greatest total: only a cart with a
  /// heavier one need be added up at a change.
  static let largeLineThreshold = Money.maximumTotal / Int64(Cart.maximumLines)

  /// Bytes of the ring in one field.
  private static let ringPart = entriesInPart * RetryKey.ringBytes
  static let entriesInPart = 5
}
