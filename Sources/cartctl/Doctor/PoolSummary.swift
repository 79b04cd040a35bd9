import CartJSON
import CartStores
import FastCGIServer

/// The pool of workers, as its status responder reports it.
struct PoolSummary {
  private(set) var counts: [(name: StaticString, value: Int?)] = []
  /// Why nothing is known.
  private(set) var failure: String?

  /// What is asked for; the names are those of `/ops/status?format=json`.
  private static let names: [StaticString] =
    ["workers", "idle", "busy", "starting", "draining", "listenQueue", "listenQueueLimit"]
    + ([.requests] + troubles).map(\.jsonName) + ["generation", "pid", "uptimeSeconds"]

  /// The counters that are shown if they are not 0.
  private static let troubles: [PoolCounter] = [.crashes, .deadlinesExceeded, .shed]

  /// Asks the pool at `CART_OPS_LISTEN`, or beside `CART_LISTEN`.
  init(_ settings: Settings) {
    let own = settings[.operationsListen]
    guard let address = own.isEmpty ? ListenAddress(settings[.listen])?.ofStatusResponder : ListenAddress(own) else {
      failure = "CART_OPS_LISTEN is not set"
      return
    }
    do throws(SystemError) {
      read(try PoolClient.get("/ops/status?format=json", from: address))
    } catch {
      failure = "\(address): \(error)"
    }
  }

  private mutating func read(_ text: [UInt8]) {
    guard let document = try? JSONDocument(parsing: text.span), let pool = document.root.member("pool") else {
      failure = "its status can't be read"
      return
    }
    for name in Self.names { counts.append((name, pool.member("\(name)")?.integer)) }
  }

  private func count(_ name: String) -> Int { counts.first { "\($0.name)" == name }.flatMap(\.value) ?? 0 }

  /// One line for a person.
  var text: String {
    if let failure { return "away: \(failure)" }
    var parts = ["\(count("workers")) workers, \(count("busy")) busy"]
    for name in ["starting", "draining"] where count(name) > 0 { parts.append("\(count(name)) \(name)") }
    parts.append("queue \(count("listenQueue")) of \(count("listenQueueLimit"))")
    parts.append("\(count("requests")) requests")
    for counter in Self.troubles where count("\(counter.jsonName)") > 0 {
      parts.append("\(count("\(counter.jsonName)")) \(counter.pageText)")
    }
    return parts.joined(separator: ", ") + "; pid \(count("pid")), up \(Self.time(count("uptimeSeconds")))"
  }

  /// E.g. `3 d 4 h`, `12 min`.
  private static func time(_ seconds: Int) -> String {
    switch seconds {
    case ..<60: "\(seconds) s"
    case ..<3_600: "\(seconds / 60) min"
    case ..<86_400: "\(seconds / 3_600) h \(seconds % 3_600 / 60) min"
    default: "\(seconds / 86_400) d \(seconds % 86_400 / 3_600) h"
    }
  }
}
