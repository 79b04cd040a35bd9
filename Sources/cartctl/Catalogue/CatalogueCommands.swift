import ArgumentParser
import CartDomain
import CartStores

/// `cartctl catalog …`
struct CatalogueCommands: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "catalog", abstract: "Works on what is sold.",
    subcommands: [ImportCatalogue.self, ShowProduct.self, RetireProducts.self])
}

extension RedisCatalogue {
  /// Publishes to Redis, and so to the workers, what changed in PostgreSQL.
  ///
  /// - Returns: false if it could not be published to Redis; a message was printed on standard error.
  func publishOrTell() -> Bool {
    do throws(StoreError) {
      try publish()
      return true
    } catch {
      Terminal.printError(
        """
        cartctl: PostgreSQL has the change, but Redis could not be told: \(Terminal.escaped(error.description))
        cartctl: workers see it within seconds of a syncer's next look at both
        """)
      return false
    }
  }
}
