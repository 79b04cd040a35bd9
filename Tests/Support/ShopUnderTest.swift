/// One client's way to a shop.
package protocol Transport: AnyObject {
  /// What the field `Host` says, and the origin of the shop's own pages after `http://`.
  var host: String { get }

  func send(_ request: Request) throws -> Answer
}

/// A shop whose API is tested, whatever stands between.
package protocol ShopUnderTest: AnyObject {
  /// The way of one more client.
  func connect() -> any Transport

  /// Takes over lines of a catalogue, as `cartctl catalog import` does: a member that is left out stays as it was, and
  /// null clears it. Carts show it within a second.
  func load(_ products: [JSON]) throws

  /// Takes a product off sale.
  func retire(_ sku: String) throws
}

/// The shop behind nginx if `CART_TEST_URL` names one, else a new one in this process; either sells ``Products``.
package func openShop() throws -> any ShopUnderTest {
  if TestSystem.isConfigured { return try ShopBehindNginx.shared.get() }
  let shop = try Shop()
  try shop.load(Products.all)
  return shop
}

extension ShopUnderTest {
  /// A user that no other test knows.
  package func newUser() -> Shopper { user("test-" + uniqueText()) }

  package func user(_ id: String?) -> Shopper { Shopper(connect(), user: id) }

  /// Someone without an identity yet.
  package func newGuest() -> Shopper { Shopper(connect()) }

  /// Sells a new product of one test's own, and answers its SKU.
  package func make(_ hint: String = "sku", price: Int = 250, _ more: JSON = [:]) throws -> String {
    let sku = Products.freshSKU(hint)
    try load([Products.product(sku, price: price, more)])
    return sku
  }

  /// Waits until a change of the catalogue shows in a shopper's cart.
  package func awaited(_ shopper: Shopper, _ isThere: (JSON) -> Bool) throws -> JSON {
    try eventually(within: 1, { try shopper.cart() }, until: isThere)
  }
}

/// Thirteen characters at random.
package func uniqueText() -> String { String(UInt64.random(in: 1 << 63 ... .max), radix: 36) }
