import ArgumentParser

/// Operations at a terminal.
@main
struct Cartctl: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cartctl",
    abstract: "Operates a cart service: its catalogue, its carts, its stores.",
    discussion: """
      The stores are found by the CART_* variables of the environment, or in the file given with --config, as cartd \
      finds them. For an instance of ./nginx/up:

        set -a; . .state/env; set +a
        cartctl catalog import products.ndjson

      Exit codes: 0 done; 1 failed, nothing was changed; 2 the input has bad lines, nothing was changed; 3 done in \
      PostgreSQL, but Redis could not be told; 64 wrong usage.
      """,
    subcommands: [Migrate.self, CatalogueCommands.self, ShowCart.self])
}
