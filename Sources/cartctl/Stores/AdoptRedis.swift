import ArgumentParser
import CartDomain
import CartJSON
import CartStores
import Glibc

/// `cartctl adopt`
struct AdoptRedis: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "adopt", abstract: "Lets the Redis at CART_REDIS speak for the shop from now on.",
    discussion: """
      A running cartd takes a Redis by itself if it was restarted or promoted, if it is where the last one was, or after \
      cartctl drain. Any other one is refused, because it may be the wrong one: carts are read from PostgreSQL then, and \
      changes are 503. This permits it, once. A running cartd with this CART_REDIS takes it within a second or so; the \
      one that speaks for the shop now changes no cart any more.

      It shows what both have, and asks at a terminal; elsewhere it wants --yes. Carts that the other one has and \
      PostgreSQL has not are lost: cartctl drain before it, if that one still runs.

        cartctl adopt
        cartctl adopt --yes --json
      """)

  @OptionGroup var stores: StoreOptions
  @OptionGroup var output: OutputOptions

  @Flag(name: .long, help: "Don't ask.")
  var yes = false

  func run() throws {
    let both = try stores.graph()
    let eligibility = try both.histories.eligibility()
    if !output.json { for line in Self.lines(eligibility) { Terminal.print(Terminal.escaped(line)) } }
    switch eligibility.state {
    case .replica: return try fail("it is a replica: point CART_REDIS at its primary")
    case .newest: return finish(eligibility, "it speaks for the shop already; nothing was done")
    case .next: return finish(eligibility, "a running cartd takes it by itself; nothing was done")
    case .superseded, .foreign: break
    }
    if !yes {
      guard isatty(STDIN_FILENO) == 1 else { throw ValidationError("There is nobody to ask: give --yes") }
      guard Self.isAgreed() else { return try fail("nothing was done") }
    }
    guard try both.histories.adopt(eligibility) else {
      return try fail("another Redis has been taken meanwhile; nothing was done")
    }
    finish(eligibility, "permitted: a cartd with this CART_REDIS takes it within a second or so")
  }

  private static func lines(_ eligibility: RedisEligibility) -> [String] {
    var here = "this Redis    \(eligibility.location): \(eligibility.carts) carts in use"
    if eligibility.isOfAnotherShop {
      here += ", of ANOTHER shop"
    } else if let number = eligibility.number {
      here += ", remembers history \(number)"
    }
    guard let newest = eligibility.records.newest else { return [here, "PostgreSQL    has known none yet"] }
    let place = newest.location.isEmpty ? "a place that is not known" : newest.location
    return [
      here, "the shop's    \(place): history \(newest.number), since \(newest.registeredAt.rfc3339)",
      "PostgreSQL    " + (eligibility.records.hasCarts ? "has carts" : "has no carts"),
    ]
  }

  private static func isAgreed() -> Bool {
    Terminal.write(Array("Is this Redis to speak for the shop? [y/N] ".utf8), to: STDERR_FILENO)
    return ["y", "yes"].contains(readLine()?.lowercased())
  }

  private func fail(_ text: String) throws {
    Terminal.printError("cartctl: \(text)")
    throw ExitCode.failure
  }

  private func finish(_ eligibility: RedisEligibility, _ text: String) {
    guard output.json else { return Terminal.print(text) }
    Terminal.printJSON {
      $0.object {
        $0.field("location", eligibility.location)
        $0.field("was", eligibility.state.rawValue)
        $0.field("adopted", true)
      }
    }
  }
}
