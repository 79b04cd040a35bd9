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
      var json = JSONWriter()
      json.product(product)
      Terminal.print(json: json)
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
  /// A product with the keys of a catalogue file, null where there is nothing.
  fileprivate mutating func product(_ product: Product) {
    let content = product.content
    let texts: [(StaticString, String?)] = [
      ("sku", content.sku.text), ("merchantId", content.merchantID.text), ("name", content.name),
      ("picture", content.picture),
    ]
    let numbers: [(StaticString, Int?)] = [
      ("stock", product.stock), ("purchaseLimit", content.purchaseLimit), ("customerLimit", content.customerLimit),
      ("minimumQuantity", content.minimumQuantity), ("quantityStep", content.quantityStep),
    ]
    let times: [(StaticString, Timestamp?)] = [
      ("availableFrom", content.availableFrom), ("availableUntil", content.availableUntil),
    ]
    beginObject()
    for (name, value) in texts {
      key(name)
      string(value)
    }
    key("unitPrice")
    integer(content.unitPrice.minorUnits)
    key("currency")
    string(content.unitPrice.currency.code)
    for (name, value) in numbers {
      key(name)
      integer(value)
    }
    for (name, value) in times {
      key(name)
      string(value?.rfc3339)
    }
    key("active")
    boolean(content.isActive)
    endObject()
  }
}
