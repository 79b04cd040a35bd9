import ArgumentParser
import CartJSON
import CartStores

/// `cartctl drain`
struct DrainRedis: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "drain", abstract: "Brings all of Redis to PostgreSQL, so that another Redis may take its place.",
    discussion: """
      Does what cartctl sync --all does, looks that nothing is left, and marks it in both stores: the next Redis without \
      carts is taken, wherever it is. The first change of a cart takes the mark away again, so stop cartd before it:

        systemctl stop cartd
        cartctl drain
        (set CART_REDIS to the new one)
        systemctl start cartd

      Exit code 4 if something can't be persisted; then nothing is marked.
      """)

  @OptionGroup var stores: StoreOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let both = try stores.graph()
    _ = try both.histories.current()
    let remainder = try stores.syncer(of: both).drain()
    for owner in remainder.refused { Terminal.printError("cartctl: refused: \(owner.shown)") }
    var isDrained = false
    if remainder.refused.isEmpty { isDrained = try both.histories.close(draining: true) }
    if output.json {
      Terminal.printJSON {
        $0.object {
          $0.field("drained", isDrained)
          $0.array("refused") {
            for owner in remainder.refused { $0.string(owner.text) }
          }
        }
      }
    } else if isDrained {
      Terminal.print("PostgreSQL has all of it; the next Redis without carts is taken")
      if try !SyncState(of: both.redis).living.isEmpty {
        Terminal.printError("cartctl: cartd runs here: its next change takes that back; stop it, and run this again")
      }
    } else {
      Terminal.printError("cartctl: Redis has something that PostgreSQL has not: stop cartd, and run this again")
    }
    if !isDrained { throw ExitCode.refusedCarts }
  }
}
