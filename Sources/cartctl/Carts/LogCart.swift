import ArgumentParser
import CartDomain
import CartJSON
import CartStores

/// `cartctl log`
struct LogCart: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "log", abstract: "Tells what was done to the lines of a cart.",
    discussion: """
      One row for each line that a change touched, the newest last: before and after it, and the id of the request, \
      which nginx's log has too. It comes from PostgreSQL, less than a second behind where a syncer runs. A merge and \
      an order show as the actions "merge" and "order". TIME is of RFC 3339, or a day (UTC).

        cartctl log user:17850
        cartctl log user:17850 --sku 85123A --since 2026-11-01
        cartctl log guest:f0LnY3kTz1mq8bWcR5xVpA --json
      """)

  @OptionGroup var stores: StoreOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var cart: OwnerArgument

  @Option(name: .long, help: "Of this SKU alone.")
  var sku: SKU?

  @Option(name: .long, help: ArgumentHelp("Made at this time or later.", valueName: "time"))
  var since: Timestamp?

  @Option(name: .long, help: "The newest of so many; 1 to 1000000.")
  var limit = 100

  func validate() throws {
    if !(1...1_000_000).contains(limit) { throw ValidationError("--limit is a number from 1 to 1000000") }
  }

  func run() throws {
    let archive = PostgresCarts(try stores.postgres())
    let changes = try archive.changes(of: cart.owner, sku: sku, since: since, limit: limit)
    if output.json {
      Terminal.printJSON {
        $0.array {
          for change in changes { $0.change(change) }
        }
      }
    } else if changes.isEmpty {
      Terminal.print("\(cart.owner.shown): nothing is recorded")
    } else {
      for line in Table.lines(Self.header + changes.map(Self.row), right: [1]) {
        Terminal.print(Terminal.escaped(line))
      }
    }
  }

  private static let header = [["TIME", "VERSION", "ACTION", "SKU", "CHANGE", "REQUEST"]]

  private static func row(_ change: RecordedChange) -> [String] {
    [
      change.at.rfc3339, String(change.version), change.action, change.sku.text, text(of: change), change.requestID,
    ]
  }

  /// What is other than before.
  private static func text(of change: RecordedChange) -> String {
    guard let after = change.after else {
      return change.before.map { "\(full($0)) -> gone" } ?? ""
    }
    guard let before = change.before else { return "new -> \(full(after))" }
    var parts: [String] = []
    if let former = before.quantity, let quantity = after.quantity, former != quantity {
      parts.append("\(former) -> \(quantity)")
    }
    if before.isSelected != after.isSelected { parts.append(after.isSelected ? "selected" : "deselected") }
    if before.unitPrice != after.unitPrice {
      parts.append("price \(before.unitPrice?.text ?? "?") -> \(after.unitPrice?.text ?? "?")")
    }
    if before.clientData != after.clientData { parts.append("extraData changed") }
    return parts.isEmpty ? "the same" : parts.joined(separator: ", ")
  }

  private static func full(_ state: RecordedChange.State) -> String {
    var text = state.quantity.map { String($0) } ?? ""
    if let price = state.unitPrice { text += " at \(price.text)" }
    if !state.isSelected { text += ", not selected" }
    return text
  }
}

extension Timestamp: ExpressibleByArgument {
  package init?(argument: String) {
    // A day begins at midnight.
    self.init(rfc3339: argument.utf8.count == 10 ? argument + "T00:00:00Z" : argument)
  }
}

extension JSONWriter {
  fileprivate mutating func change(_ change: RecordedChange) {
    object {
      $0.field("at", change.at.rfc3339)
      $0.field("action", change.action)
      $0.field("sku", change.sku.text)
      $0.field("requestId", change.requestID)
      $0.field("epoch", change.epoch)
      $0.field("version", change.version)
      $0.state("before", change.before)
      $0.state("after", change.after)
    }
  }

  private mutating func state(_ name: StaticString, _ state: RecordedChange.State?) {
    key(name)
    if let state { state.write(with: &self) } else { null() }
  }
}
