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
  package let history: String
  /// `tag|number`: the database as a syncer last saw it; `tag|number|next tag` while every cart is put on the list of
  /// dirty ones because the database has gone back.
  package let database: String
  /// Hash: syncer's lane → number of the last batch that was committed in it.
  package let lanes: String
  /// Sorted set of carts that PostgreSQL refuses, by the time of the next attempt.
  package let quarantine: String
  /// Sorted set of carts of which changes were set aside, by the time of the next attempt.
  package let aside: String
  /// Hash: cart → why it, or a change of it, is refused.
  package let reasons: String
  /// Sorted set of syncers, by the time when they were last heard of.
  package let syncers: String
  /// The syncer that reads the stream.
  package let reader: String
  /// Hash: periodic task → when it is due, how often it has failed, where it goes on.
  package let tasks: String
  /// There while memory is short, or while no cart may change: a ``RedisGate``.
  package let pressure: String
  /// A number that becomes another, greater one whenever something in the catalogue does.
  package let catalogueVersion: String
  /// PostgreSQL's catalogue version up to which Redis holds the catalogue.
  package let published: String
  /// Hash: SKU → revision, stock and stamp.
  package let catalogue: String
  /// Hash: revision → its content.
  package let revisions: String
  /// Sorted set: revisions that may be removed, while it is found out whether a cart shows them.
  package let unshown: String

  package init(prefix: String) {
    self.prefix = prefix
    stream = prefix + "cart:stream"
    dirty = prefix + "cart:dirty"
    active = prefix + "cart:active"
    history = prefix + "cart:lineage"
    database = prefix + "cart:database"
    lanes = prefix + "cart:lanes"
    quarantine = prefix + "cart:quarantine"
    aside = prefix + "cart:aside"
    reasons = prefix + "cart:reasons"
    syncers = prefix + "cart:syncers"
    reader = prefix + "cart:reader"
    tasks = prefix + "cart:tasks"
    pressure = prefix + "cart:pressure"
    catalogueVersion = prefix + "cart:generation"
    published = prefix + "cart:published"
    catalogue = prefix + "cart:catalog"
    revisions = prefix + "cart:revision"
    unshown = prefix + "cart:unshown"
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
  func restoreLease(of owner: CartOwner) -> String { "\(prefix)ld:{\(cart(of: owner))}" }

  /// The changes of a cart that were set aside, as a stream: those that PostgreSQL refuses, and what came after them.
  func aside(of owner: CartOwner) -> String { "\(aside):\(cart(of: owner).dropFirst(prefix.count + 5))" }

  /// The keys of every script that changes a cart, in the order in which the scripts take them.
  func forChange(of owner: CartOwner) -> [String] {
    [cart(of: owner), stream, dirty, active, catalogueVersion, pressure, restoreLease(of: owner)]
  }
}
