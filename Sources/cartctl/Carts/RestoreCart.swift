import ArgumentParser
import CartJSON
import CartStores

/// `cartctl restore`
struct RestoreCart: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore", abstract: "Brings a cart back from PostgreSQL if Redis lacks it.",
    discussion: """
      The next use of a cart does the same. Where Redis has a copy of an earlier history (it was restarted, or put \
      back), the newer of the two is taken. A cart that Redis has is left alone.

        cartctl restore user:17850
      """)

  @OptionGroup var stores: StoreOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var cart: OwnerArgument

  func run() throws {
    let report = try stores.graph().restorer.rebuild([cart.owner])
    let (word, text) = Self.outcome(report)
    if output.json {
      Terminal.printJSON {
        $0.object {
          $0.field("owner", cart.owner.text)
          $0.field("outcome", word)
        }
      }
    } else {
      Terminal.print("\(cart.owner.shown): \(text)")
    }
    if !report.refused.isEmpty { throw ExitCode.refusedCarts }
  }

  private static func outcome(_ report: CartRestorer.Report) -> (word: String, text: String) {
    if !report.refused.isEmpty { return ("refused", "can't be read in one of the stores; nothing was done") }
    if report.present > 0 { return ("present", "Redis has it; nothing was done") }
    if report.restored > 0 { return ("restored", "is back from PostgreSQL") }
    if report.confirmed > 0 { return ("confirmed", "compared with PostgreSQL; what Redis had is as new or newer") }
    if report.contended > 0 { return ("contended", "somebody else is bringing it back at this moment") }
    return ("absent", "neither store has it")
  }
}
