import ArgumentParser
import CartDomain
import CartJSON
import CartStores
import Glibc

/// `cartctl rebuild`
struct RebuildCarts: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rebuild", abstract: "Brings every cart back that PostgreSQL has and Redis lacks.",
    discussion: """
      For a Redis that was emptied, lost or put back. Shoppers need not wait for it: a cart that is used before its \
      turn comes back by itself. Run it again after an interruption: what is there is passed over; --after goes on \
      where the other stopped. Carts that can't be read are named, and the others are brought back: exit code 4.

        cartctl rebuild --dry-run
        cartctl rebuild
      """)

  @OptionGroup var stores: StoreOptions
  @OptionGroup var output: OutputOptions

  @Flag(name: .long, help: "Only count what is missing.")
  var dryRun = false

  @Option(name: .long, help: "Begin behind this cart, in the order of kind and id.")
  var after: CartOwner?

  private static let batch = 500

  func run() throws {
    let both = try stores.graph()
    let interruption = Interruption()
    var progress = Progress()
    var work = Work(last: after)
    let total = try both.archive.count(after: work.last)
    defer { progress.clear() }
    do throws(StoreError) {
      while !interruption.isRequested, try step(&work, both) { progress.show(work.looked, "carts", of: total) }
    } catch {
      progress.clear()
      printContinuation(work.last)
      throw error
    }
    progress.clear()
    if !work.isDone {
      printContinuation(work.last)
      throw ExitCode.interrupted
    }
    finish(work, seconds: progress.seconds)
    if !work.report.refused.isEmpty { throw ExitCode.refusedCarts }
  }

  private struct Work {
    var last: CartOwner?
    var report = CartRestorer.Report()
    var looked = 0
    var missing = 0
    var isDone = false
  }

  /// One batch.
  ///
  /// - Returns: whether there may be more.
  private func step(_ work: inout Work, _ both: StoreGraph) throws(StoreError) -> Bool {
    let owners = try both.archive.owners(after: work.last, limit: Self.batch)
    guard let last = owners.last else {
      work.isDone = true
      return false
    }
    if dryRun {
      work.missing += try both.restorer.missing(owners).count
    } else {
      work.report += try both.restorer.rebuild(owners)
    }
    work.last = last
    work.looked += owners.count
    return true
  }

  private func printContinuation(_ last: CartOwner?) {
    guard let last else { return }
    Terminal.printError("cartctl: to go on: cartctl rebuild\(dryRun ? " --dry-run" : "") --after \(Self.quoted(last))")
  }

  /// As one word of a shell.
  private static func quoted(_ owner: CartOwner) -> String {
    let parts = owner.text.split(separator: "'", omittingEmptySubsequences: false)
    return Terminal.escaped("'" + parts.joined(separator: "'\\''") + "'")
  }

  private func finish(_ work: Work, seconds: Double) {
    let report = work.report
    let counts: KeyValuePairs<StaticString, Int> =
      if dryRun {
        ["carts": work.looked, "missing": work.missing, "present": work.looked - work.missing]
      } else {
        [
          "carts": work.looked, "restored": report.restored, "confirmed": report.confirmed,
          "present": report.present + report.contended, "absent": report.absent,
        ]
      }
    if output.json {
      Terminal.printJSON {
        $0.object {
          for (name, value) in counts { $0.field(name, value) }
          $0.array("refused") {
            for owner in report.refused { $0.string(owner.text) }
          }
        }
      }
    } else {
      Terminal.print(counts.map { "\($0): \($1)" }.joined(separator: ", "))
      if seconds > 1 { Terminal.print("\(Int(Double(work.looked) / seconds)) carts a second") }
      for owner in report.refused { Terminal.printError("cartctl: can't be read: \(owner.shown)") }
    }
  }
}

/// A request to end: SIGINT and SIGTERM stay pending until they are asked for, so that the work ends between two steps.
private struct Interruption {
  init() {
    var signals = sigset_t()
    unsafe sigemptyset(&signals)
    unsafe sigaddset(&signals, SIGINT)
    unsafe sigaddset(&signals, SIGTERM)
    unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
  }

  var isRequested: Bool {
    var pending = sigset_t()
    guard unsafe sigpending(&pending) == 0 else { return false }
    return unsafe sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1
  }
}
