package import CartDomain

/// The names of everything that is kept in Redis, under one prefix.
package struct RedisKeys: Sendable {
  package let prefix: String
  /// Events of changes, read by the syncer.
  package let stream: String
  /// Sorted set of carts by the time of their first change that PostgreSQL has not.
  package let dirty: String
  /// Sorted set of carts by the time of their last change.
  package let active: String
  /// The history of Redis as PostgreSQL has registered it: a ``RedisRegistration``.
  package let lineage: String
  /// `tag|number`: the database as a syncer last saw it.
  package let database: String
  /// Sorted set of carts that PostgreSQL refuses, by the time of its refusal.
  package let quarantine: String
  /// There while memory is short, or while no cart may change: a ``RedisGate``.
  package let pressure: String
  /// A number that becomes another, greater one whenever something in the catalogue does.
  package let generation: String
  /// PostgreSQL's generation up to which Redis holds the catalogue.
  package let published: String
  /// Hash: SKU → revision, stock and stamp.
  package let catalogue: String
  /// Hash: revision → its content.
  package let revisions: String

  package init(prefix: String) {
    self.prefix = prefix
    stream = prefix + "cart:stream"
    dirty = prefix + "cart:dirty"
    active = prefix + "cart:active"
    lineage = prefix + "cart:lineage"
    database = prefix + "cart:database"
    quarantine = prefix + "cart:quarantine"
    pressure = prefix + "cart:pressure"
    generation = prefix + "cart:generation"
    published = prefix + "cart:published"
    catalogue = prefix + "cart:catalog"
    revisions = prefix + "cart:revision"
  }

  /// The hash of a cart: `cart:user:<id>` or `cart:guest:<id>`, with `%`, `{`, `}` and control bytes of the id
  /// percent-encoded, so that an id neither names another key nor steers a cluster's slots.
  package func cart(of owner: CartOwner) -> String {
    "\(prefix)cart:\(owner.kind):" + PercentEncoding.encode(owner.id, reserved: [UInt8(ascii: "{"), UInt8(ascii: "}")])
  }

  /// The owner of a cart by its key; `nil` for what is no cart's key.
  package func owner(ofCart key: String) -> CartOwner? {
    guard key.hasPrefix(prefix + "cart:") else { return nil }
    let rest = key.dropFirst(prefix.count + 5)
    guard let colon = rest.firstIndex(of: ":"),
      let id = PercentEncoding.decode(Array(rest[rest.index(after: colon)...].utf8).span)
    else { return nil }
    guard let id = String(validating: id, as: UTF8.self) else { return nil }
    return CartOwner(kind: String(rest[..<colon]), id: id)
  }

  /// Held by whoever brings a cart back; the word of the last one who found that there is none.
  func hold(of owner: CartOwner) -> String { "\(prefix)ld:{\(cart(of: owner))}" }

  /// The keys of every script that changes a cart, in the order in which the scripts take them.
  func forChange(of owner: CartOwner) -> [String] {
    [cart(of: owner), stream, dirty, active, generation, pressure, hold(of: owner)]
  }
}
