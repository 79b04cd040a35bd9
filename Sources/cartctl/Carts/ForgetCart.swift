import ArgumentParser
import CartDomain
import CartJSON
import CartStores
import Glibc

/// `cartctl forget`
struct ForgetCart: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "forget", abstract: "Deletes a cart in both stores, and the record of what was done to it.",
    discussion: """
      The cart, what waits for it, and the record of its changes. Orders are kept. A user who comes back begins with \
      an empty cart, a guest with a new id.

      In PostgreSQL an empty row with the id stays for a day, so that no copy on its way brings the cart back; then \
      the syncer, or cartctl sync --all, removes it. Not covered: backups of either store, Redis's append-only file \
      until its next rewrite, and the logs of nginx.

      It asks at a terminal; elsewhere it wants --yes.

        cartctl forget user:17850
        cartctl forget guest:f0LnY3kTz1mq8bWcR5xVpA --yes
      """)

  @OptionGroup var stores: StoreOptions
  @OptionGroup var output: OutputOptions

  @Flag(name: .long, help: "Don't ask.")
  var yes = false

  @OptionGroup var cart: OwnerArgument

  func validate() throws {
    if !yes, isatty(STDIN_FILENO) != 1 { throw ValidationError("There is nobody to ask: give --yes") }
  }

  func run() throws {
    let owner = cart.owner
    if !yes, !Self.isAgreed(owner) {
      Terminal.printError("cartctl: nothing was deleted")
      throw ExitCode.failure
    }
    let both = try stores.graph()
    // Half of it would be left if the shop's Redis is another.
    _ = try both.histories.current()
    let report = try CartEraser(both).erase(owner)
    if output.json {
      Terminal.printJSON { $0.report(report, on: owner) }
    } else {
      let places = [report.wasInRedis ? "Redis" : nil, report.wasInPostgres ? "PostgreSQL" : nil].compactMap { $0 }
      let text = places.isEmpty ? "neither store had a cart" : "deleted in " + places.joined(separator: " and ")
      Terminal.print(
        "\(owner.shown): \(text); removed: \(report.changes) recorded changes, \(report.commands) commands")
    }
  }

  private static func isAgreed(_ owner: CartOwner) -> Bool {
    Terminal.write(
      Array("Delete the cart of \(owner.shown) and all that is recorded of it? [y/N] ".utf8), to: STDERR_FILENO)
    return ["y", "yes"].contains(readLine()?.lowercased())
  }
}

extension JSONWriter {
  fileprivate mutating func report(_ report: CartEraser.Report, on owner: CartOwner) {
    object {
      $0.field("owner", owner.text)
      $0.field("wasInRedis", report.wasInRedis)
      $0.field("wasInPostgres", report.wasInPostgres)
      $0.field("changes", report.changes)
      $0.field("commands", report.commands)
    }
  }
}
