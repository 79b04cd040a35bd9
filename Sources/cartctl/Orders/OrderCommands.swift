import ArgumentParser
import CartAPI
import CartDomain
import CartJSON
import CartStores

/// `cartctl order …`
struct OrderCommands: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "order", abstract: "Works on orders.",
    subcommands: [ShowOrder.self, AcceptOrder.self, CancelOrder.self])
}

/// `cartctl order show`
struct ShowOrder: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Shows an order as PostgreSQL has it.",
    discussion: """
      --json prints what the HTTP API would answer, and whose order it is.

        cartctl order show 4NqLr8h2Qm7TzP0xWc9YbE
      """)

  @OptionGroup var stores: StoreOptions
  @OptionGroup var output: OutputOptions

  @Argument(help: "The order's ID.")
  var id: OrderID

  func run() throws {
    let orders = PostgresOrders(PostgresCarts(try stores.postgres()))
    guard let order = try orders.order(id) else { throw OrderPrinting.unknown(id) }
    OrderPrinting.show(order, output)
  }
}

/// `cartctl order accept`
struct AcceptOrder: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "accept", abstract: "Begins with an order: its shopper can't cancel it any more.",
    discussion: """
      An order that is accepted already stays so; one that is cancelled is refused.

        cartctl order accept 4NqLr8h2Qm7TzP0xWc9YbE
      """)

  @OptionGroup var stores: StoreOptions
  @OptionGroup var output: OutputOptions

  @Argument(help: "The order's ID.")
  var id: OrderID

  func run() throws {
    let orders = PostgresOrders(PostgresCarts(try stores.postgres()))
    OrderPrinting.show(try OrderPrinting.order(id, after: orders.accept(id)), output)
  }
}

/// `cartctl order cancel`
struct CancelOrder: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cancel", abstract: "Cancels an order, and gives back its stock and limits, once.",
    discussion: """
      However old the order is; one that is accepted is refused.

        cartctl order cancel 4NqLr8h2Qm7TzP0xWc9YbE
      """)

  @OptionGroup var stores: StoreOptions
  @OptionGroup var output: OutputOptions

  @Argument(help: "The order's ID.")
  var id: OrderID

  func run() throws {
    let (transition, moved) = try PostgresOrders(PostgresCarts(try stores.postgres())).cancel(id, by: .shop)
    let order = try OrderPrinting.order(id, after: transition)
    // If Redis is away, the syncer publishes it later.
    _ = try? stores.graph().catalogue.publishStock(moved)
    OrderPrinting.show(order, output)
  }
}

private enum OrderPrinting {
  static func unknown(_ id: OrderID) -> any Error {
    Terminal.printError("cartctl: no such order: \(Terminal.escaped(id.text))")
    return ExitCode.failure
  }

  /// - Throws: if there is none, or if its status does not allow it; a message was printed.
  static func order(_ id: OrderID, after transition: OrderTransition) throws -> Order {
    switch transition {
    case .done(let order): return order
    case .unknown: throw unknown(id)
    case .refused(let order):
      Terminal.printError("cartctl: the order is \(order.status.rawValue); nothing was changed")
      throw ExitCode.failure
    }
  }

  static func show(_ order: Order, _ output: OutputOptions) {
    if output.json {
      Terminal.printJSON { $0.order(order, owner: order.owner) }
      return
    }
    func money(_ minorUnits: Int64) -> String { Money(minorUnits: minorUnits, currency: order.total.currency).text }
    Terminal.print(
      Terminal.escaped(
        "\(order.id.text), \(order.status.rawValue), \(order.owner.kind):\(order.owner.id), \(order.placedAt.rfc3339)"))
    var rows = [["SKU", "MERCHANT", "NAME", "QUANTITY", "PRICE", "TOTAL"]]
    for line in order.lines {
      rows.append([
        line.sku.text, line.merchantID.text, line.name, String(line.quantity), money(line.unitPrice),
        money(line.lineTotal),
      ])
    }
    for line in Table.lines(rows, right: [3, 4, 5]) { Terminal.print(Terminal.escaped(line)) }
    Terminal.print("total \(money(order.total.minorUnits))")
  }
}

extension OrderID: ExpressibleByArgument {
  package init?(argument: String) { self.init(argument) }
}
