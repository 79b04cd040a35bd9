import ArgumentParser
import CartJSON
import CartStores

/// `cartctl migrate`
struct Migrate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Brings PostgreSQL to this program's schema.",
    discussion: """
      Makes the schema CART_SCHEMA if it is missing and runs the migrations that it lacks, each in a transaction. \
      Several at once wait for each other; running it again does nothing.

        cartctl migrate
      """)

  @OptionGroup var stores: StoreOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let connection = try stores.postgres()
    var done: [PostgresMigration] = []
    try PostgresMigrations(connection).run { migration in
      done.append(migration)
      if !output.json { Terminal.print("migrated to \(migration.version), \(migration.name)") }
    }
    guard output.json else {
      if done.isEmpty { Terminal.print("schema \(Terminal.escaped(connection.configuration.schema)) is up to date") }
      return
    }
    Terminal.printJSON {
      $0.object {
        $0.array("migrated") {
          for migration in done { $0.integer(migration.version) }
        }
        $0.field("version", PostgresMigration.all.last?.version ?? 0)
      }
    }
  }
}
