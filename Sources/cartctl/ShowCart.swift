import ArgumentParser
import CartAPI
import CartDomain
import CartJSON
import CartStores

/// `cartctl show`
struct ShowCart: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Shows a cart, and how far both stores have it.",
    discussion: """
      As Redis holds it; where Redis is away or has none, as PostgreSQL does, and it is said. Looking at a guest's cart \
      does not prolong its life. --json prints what the HTTP API would answer, and with it "stores": where the cart \
      comes from, its epoch, and which version either store has.

        cartctl show user:17850
        cartctl show guest:f0LnY3kTz1mq8bWcR5xVpA
      """)

  @OptionGroup var stores: StoreOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var argument: OwnerArgument

  func run() throws {
    let both = try stores.graph()
    let inspector = CartInspector(both)
    let finding = try inspector.look(at: argument.owner)
    let view = try Self.view(finding, both)
    if output.json {
      let lowStock = try stores.settings().integer(.lowStock, in: 0...1_000_000_000)
      Terminal.printJSON {
        $0.cart(view, lowStock: lowStock) { $0.stores(finding) }
      }
    } else {
      for line in Self.table(view) + Self.state(finding) { Terminal.print(Terminal.escaped(line)) }
    }
  }

  /// The catalogue of Redis, or PostgreSQL's if Redis is away.
  private static func view(_ finding: CartFinding, _ both: StoreGraph) throws(StoreError) -> CartView {
    if finding.redisFailure == nil { return try both.catalogue.view(of: finding.cart, at: now) }
    return try PostgresCatalogue(both.postgres).view(of: finding.cart, at: now)
  }

  /// Where it comes from, and what the other store has.
  private static func state(_ finding: CartFinding) -> [String] {
    var lines: [String] = []
    if let error = finding.redisFailure { lines.append("Redis can't tell: \(error.message)") }
    if let error = finding.postgresFailure { lines.append("PostgreSQL can't tell: \(error.message)") }
    let asOf = finding.syncedAt.map { ", as of \($0.rfc3339)" } ?? ""
    switch finding.place {
    case nil: return lines + ["neither store has a cart"]
    case .redis: lines.append("from Redis, epoch \(finding.hash?.epoch ?? 0)")
    case .postgres: lines.append("from PostgreSQL\(asOf), epoch \(finding.row?.hash.epoch ?? 0)")
    }
    if finding.isStale { lines.append("Redis has a copy of an earlier history: it is compared at its next use") }
    if finding.hash?.state == .merged || finding.row?.hash.state == .merged { lines.append("was merged, and is spent") }
    if finding.place == .redis, let row = finding.row {
      let isPersisted = row.hash.cart.version == finding.cart.version && row.hash.epoch == finding.hash?.epoch
      lines.append(
        "PostgreSQL has version \(row.hash.cart.version)\(asOf)" + (isPersisted ? ": all of it" : ": an older one"))
    } else if finding.place == .redis, finding.postgresFailure == nil {
      lines.append("PostgreSQL has none")
    }
    return lines
  }

  private static func table(_ view: CartView) -> [String] {
    let cart = view.cart
    var head = "\(cart.owner?.text ?? ""), version \(cart.version), lines: \(view.counts.lines)"
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

  private static var now: Timestamp { .machineTime }
}

extension JSONWriter {
  /// Where a cart was found.
  fileprivate mutating func stores(_ finding: CartFinding) {
    object("stores") {
      $0.field("source", finding.place?.rawValue)
      $0.field("epoch", (finding.place == .redis ? finding.hash : finding.row?.hash)?.epoch ?? 0)
      $0.field("stale", finding.isStale)
      $0.field("redisVersion", finding.hash?.cart.version)
      $0.field("persistedVersion", finding.row?.hash.cart.version)
      $0.field("syncedAt", finding.syncedAt)
    }
  }
}
