import ArgumentParser
import CartAPI
import CartDomain
import CartJSON
import CartStores
import Glibc

/// `cartctl show`
struct ShowCart: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Shows a cart as Redis holds it.",
    discussion: """
      Looking at a guest's cart does not prolong its life. --json prints what the HTTP API would answer.

        cartctl show user:17850
        cartctl show guest:f0LnY3kTz1mq8bWcR5xVpA
      """)

  @OptionGroup var stores: StoreOptions
  @OptionGroup var output: OutputOptions

  @Argument(help: "user:ID or guest:ID; a guest's ID is the value of the cookie, with or without what follows the dot.")
  var owner: CartOwner

  func run() throws {
    let catalogue = try stores.catalogue(stores.postgres())
    let reading = try RedisCartStore(catalogue: catalogue).peek(at: owner)
    let view = try catalogue.view(of: reading.cart, at: Self.now)
    if output.json {
      var json = JSONWriter()
      json.cart(view, lowStock: try stores.settings().integer(.lowStock, in: 0...1_000_000_000))
      Terminal.print(json: json)
    } else {
      for line in Self.table(view) { Terminal.print(Terminal.escaped(line)) }
    }
  }

  private static func table(_ view: CartView) -> [String] {
    let cart = view.cart
    var head = "\(owner(of: cart)), version \(cart.version), lines: \(view.counts.lines)"
    if let end = cart.expiresAt { head += ", until \(end.rfc3339)" }
    guard let currency = cart.currency, !view.lines.isEmpty else { return [head] }
    func money(_ minorUnits: Int64) -> String { Money(minorUnits: minorUnits, currency: currency).text }
    var rows = [["", "SKU", "MERCHANT", "NAME", "QUANTITY", "PRICE", "TOTAL", "ADDED", "NOTE"]]
    for line in view.lines {
      let price = line.changedPrice?.to ?? line.line.unitPrice
      rows.append([
        line.line.isSelected ? "x" : "", line.line.sku.text, line.line.merchantID.text,
        (line.snapshot ?? line.current?.revision)?.content.name ?? "", String(line.line.quantity), money(price),
        money(line.lineTotal), line.line.addedAt.rfc3339, note(on: line, in: view, money),
      ])
    }
    let totals = "total \(money(view.totals.all)), selected \(money(view.totals.selected))"
    return [head] + Table.lines(rows, right: [4, 5, 6]) + [totals]
  }

  private static func note(on line: LineView, in view: CartView, _ money: (Int64) -> String) -> String {
    var notes: [String] = []
    if let (from, _) = line.changedPrice { notes.append("was \(money(from))") }
    for problem in view.problems where problem.sku == line.line.sku { notes.append(problem.code.rawValue) }
    return notes.joined(separator: ", ")
  }

  private static func owner(of cart: Cart) -> String {
    cart.owner.map { "\($0.kind):\($0.id)" } ?? ""
  }

  private static var now: Timestamp {
    var time = timespec()
    _ = unsafe clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(milliseconds: Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000)
  }
}
