import ArgumentParser
import CartDomain
import CartJSON
import CartStores

/// `cartctl sync`
struct SyncCarts: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sync", abstract: "Brings a cart, or all that is waiting, from Redis to PostgreSQL.",
    discussion: """
      With OWNER, one cart: when the command has ended, PostgreSQL has it as it was at the start or newer.

      --all does all that a syncer does: it records every change that is waiting, persists every cart that PostgreSQL \
      lacks, carries out what PostgreSQL has in store for carts, lets go of carts that nobody uses, and makes and \
      drops the months of the record. On a host without a syncer, cron with it is enough, every minute or so; beside a \
      syncer it does no harm.

      Carts that PostgreSQL refuses are set aside and listed: exit code 4. They stay in Redis and are served.

        cartctl sync user:17850
        * * * * *  /usr/local/bin/cartctl sync --all --config /etc/cartd/cartd.env
      """)

  @OptionGroup var stores: StoreOptions
  @OptionGroup var output: OutputOptions

  @Flag(name: .long, help: "Everything that is waiting.")
  var all = false

  @Argument(help: "user:ID or guest:ID")
  var owner: CartOwner?

  func validate() throws {
    if all == (owner != nil) { throw ValidationError("Name an OWNER, or give --all") }
  }

  func run() throws {
    let both = try stores.graph()
    if try both.archive.records().newest == nil {
      Terminal.printError("cartctl: no cartd has served this shop yet: there is nothing to bring")
    } else if let owner {
      try sync(owner, both)
    } else {
      try syncAll(both)
    }
  }

  private func sync(_ owner: CartOwner, _ both: StoreGraph) throws {
    let version: Int64
    do throws(StoreError) {
      version = try both.persister.sync(owner)
    } catch {
      guard error.code == .corrupt else { throw error }
      Terminal.printError("cartctl: \(Terminal.escaped(error.description))")
      throw ExitCode.refusedCarts
    }
    guard output.json else {
      Terminal.print(
        version == 0 ? "\(owner.shown): neither store has a cart" : "\(owner.shown): version \(version) is persisted")
      return
    }
    Terminal.printJSON {
      $0.object {
        $0.field("owner", owner.text)
        $0.field("persistedVersion", version)
      }
    }
  }

  private func syncAll(_ both: StoreGraph) throws {
    let syncer = try stores.syncer(of: both)
    var progress = Progress()
    var (carts, changes) = (0, 0)
    syncer.observer.report = { report in
      carts += report.versions.count
      progress.show(carts, "carts")
    }
    syncer.observer.recorded = { changes += $0 }
    syncer.observer.note = { note in
      progress.clear()
      Terminal.printError("cartctl: \(Terminal.escaped(note))")
    }
    let remainder = try syncer.drain()
    progress.clear()
    if output.json {
      print(remainder, carts: carts, changes: changes)
    } else {
      Terminal.print("persisted: \(carts) carts; recorded: \(changes) changes")
      if remainder.changesElsewhere > 0 {
        Terminal.print("left to another syncer: \(remainder.changesElsewhere) changes")
      }
      for owner in remainder.refused { Terminal.printError("cartctl: refused: \(owner.shown)") }
    }
    if !remainder.refused.isEmpty { throw ExitCode.refusedCarts }
  }

  private func print(_ remainder: Syncer.Remainder, carts: Int, changes: Int) {
    Terminal.printJSON {
      $0.object {
        $0.field("persisted", carts)
        $0.field("recorded", changes)
        $0.field("changesElsewhere", remainder.changesElsewhere)
        $0.array("refused") {
          for owner in remainder.refused { $0.string(owner.text) }
        }
      }
    }
  }
}
