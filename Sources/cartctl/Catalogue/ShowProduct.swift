import ArgumentParser
import CartDomain
import CartJSON
import CartStores

/// `cartctl catalog show`
struct ShowProduct: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Shows a SKU as PostgreSQL has it.",
    discussion: """
      With --json it prints a line of NDJSON that an import reads, times to the second.

        cartctl catalog show 85123A
      """)

  @OptionGroup var stores: StoreOptions
  @OptionGroup var output: OutputOptions

  @Argument(help: "The SKU.")
  var sku: SKU

  func run() throws {
    let found = try PostgresCatalogue(stores.postgres()).products(for: [sku])
    guard let product = found[0] else {
      Terminal.printError("cartctl: no such SKU: \(Terminal.escaped(sku.text))")
      throw ExitCode.failure
    }
    if output.json {
      Terminal.printJSON { $0.product(product) }
    } else {
      printTable(product)
    }
  }

  private func printTable(_ product: Product) {
    let content = product.content
    func number(_ value: Int?) -> String? { value.map { String($0) } }
    let rows: [(String, String?)] = [
      ("sku", content.sku.text), ("merchantId", content.merchantID.text), ("name", content.name),
      ("picture", content.picture), ("unitPrice", content.unitPrice.text),
      ("stock", number(product.stock) ?? "not counted"), ("purchaseLimit", number(content.purchaseLimit)),
      ("customerLimit", number(content.customerLimit)), ("minimumQuantity", number(content.minimumQuantity)),
      ("quantityStep", number(content.quantityStep)), ("availableFrom", content.availableFrom?.rfc3339),
      ("availableUntil", content.availableUntil?.rfc3339), ("active", content.isActive ? "true" : "false"),
      ("revision", product.revision.id.text),
    ]
    for (name, value) in rows {
      if let value { Terminal.print(Table.padded(name, 16) + Terminal.escaped(value)) }
    }
  }
}

extension JSONWriter {
  /// A product with the keys of a catalogue file, null if there is nothing.
  fileprivate mutating func product(_ product: Product) {
    let content = product.content
    object {
      $0.field("sku", content.sku.text)
      $0.field("merchantId", content.merchantID.text)
      $0.field("name", content.name)
      $0.field("picture", content.picture)
      $0.field("unitPrice", content.unitPrice.minorUnits)
      $0.field("currency", content.unitPrice.currency.code)
      $0.field("stock", product.stock)
      $0.field("purchaseLimit", content.purchaseLimit)
      $0.field("customerLimit", content.customerLimit)
      $0.field("minimumQuantity", content.minimumQuantity)
      $0.field("quantityStep", content.quantityStep)
      $0.field("availableFrom", content.availableFrom?.rfc3339)
      $0.field("availableUntil", content.availableUntil?.rfc3339)
      $0.field("active", content.isActive)
    }
  }
}
