import ArgumentParser
import CartDomain
import CartJSON
import CartStores

/// `cartctl catalog retire`
struct RetireProducts: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "retire", abstract: "Takes products off sale; carts still show them.",
    discussion: """
      All of them or, where one is not known, none. An import with "active":true brings one back.

        cartctl catalog retire 85123A 71053
      """)

  @OptionGroup var stores: StoreOptions
  @OptionGroup var output: OutputOptions

  @Argument(help: "The SKUs.")
  var skus: [SKU]

  func run() throws {
    let both = try stores.graph()
    switch try CatalogueRetirement(both.postgres).run(skus) {
    case .unknown(let unknown):
      for sku in unknown { Terminal.printError("cartctl: no such SKU: \(Terminal.escaped(sku.text))") }
      throw ExitCode.failure
    case .done(let retired, _):
      let isPublished = both.catalogue.publishOrTell()
      if output.json {
        Terminal.printJSON {
          $0.object {
            $0.field("retired", retired)
            $0.field("published", isPublished)
          }
        }
      } else {
        Terminal.print("\(retired) retired, \(Set(skus).count - retired) were so before")
      }
      if !isPublished { throw ExitCode.notPublished }
    }
  }
}
