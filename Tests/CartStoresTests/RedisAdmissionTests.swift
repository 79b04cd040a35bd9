import CartDomain
import Testing

@testable import CartStores

@Suite("Who may speak for a shop")
struct RedisAdmissionTests {
  /// A Redis as it shows itself, beside a newest history 5 of the process `run` at `here`.
  struct Case: Sendable, CustomTestStringConvertible {
    var name: String
    var wanted: RedisAdmission
    var id = "new"
    var former: String?
    var run = "another"
    var location = "there"
    var remembers: RedisRegistration?
    var gate = RedisGate.open
    var hasCarts = true
    var records = RedisAdmissionTests.records

    init(_ name: String, _ wanted: RedisAdmission, _ change: (inout Case) -> Void = { _ in }) {
      (self.name, self.wanted) = (name, wanted)
      change(&self)
    }

    var newest: RedisRecords.Entry {
      get { records.newest! }
      set { records.newest = newValue }
    }

    var testDescription: String { name }
  }

  static let records = RedisRecords(
    shop: "shop", hasCarts: true,
    newest: RedisRecords.Entry(number: 5, replicationID: "old", runID: "run", location: "here", closed: "word"))

  static func remembered(_ number: Int64, shop: String? = "shop", id: String = "old") -> RedisRegistration {
    RedisRegistration(replicationID: id, number: number, shop: shop)
  }

  static let cases: [Case] = [
    Case("a stray one", .refused) { $0.hasCarts = false },
    Case("a stray one with carts", .refused),
    Case("the first of a shop", .begun) { $0.records.newest = nil },
    Case("any, for a shop without carts", .begun) { $0.records.hasCarts = false },
    Case("the newest history", .known(5)) { $0.records.own = 5 },
    Case("the newest history, which Redis has forgotten", .known(5)) { ($0.records.own, $0.remembers) = (5, nil) },
    Case("an older history", .superseded) { ($0.records.own, $0.remembers) = (4, remembered(4)) },
    Case("an older history at the same place", .superseded) { ($0.records.own, $0.location) = (4, "here") },
    Case("restarted, or a replica that was promoted", .begun) { $0.remembers = remembered(5) },
    Case("restarted, registered by an older cartd", .begun) { $0.remembers = remembered(5, shop: nil) },
    Case("restarted after another has followed it", .refused) { $0.remembers = remembered(4) },
    Case("of another shop, with a later number", .refused) { $0.remembers = remembered(9, shop: "other") },
    Case("of another shop, with the same number", .refused) { $0.remembers = remembered(5, shop: "other") },
    Case("of another shop, at the same place", .refused) {
      ($0.remembers, $0.location) = (remembered(9, shop: "other"), "here")
    },
    Case("emptied or replaced at the same place", .begun) { ($0.location, $0.hasCarts) = ("here", false) },
    Case("put back at the same place", .begun) { ($0.location, $0.remembers) = ("here", remembered(3)) },
    Case("told that another has followed it, and started again at the same place", .superseded) {
      ($0.location, $0.remembers, $0.gate) = ("here", remembered(4), .superseded(by: 5))
    },
    Case("without carts after a drain", .begun) { ($0.newest.isDrained, $0.hasCarts) = (true, false) },
    Case("with carts after a drain", .refused) { $0.newest.isDrained = true },
    Case("adopted", .begun) { $0.newest.successor = "another" },
    Case("adopted, after it was followed", .begun) {
      ($0.newest.successor, $0.records.own, $0.remembers) = ("another", 4, remembered(4))
    },
    Case("another one than was adopted", .refused) { $0.newest.successor = "a third" },
    Case("adopted, where INFO is forbidden", .begun) { ($0.run, $0.newest.successor) = ("", "new") },
    Case("the same process, to which its first replica has come", .resumed(5)) {
      ($0.run, $0.remembers) = ("run", remembered(5))
    },
    Case("the same process, which followed nobody for a while", .resumed(5)) {
      ($0.run, $0.former, $0.remembers) = ("run", "old", remembered(5))
    },
    Case("the same process, which has followed another", .begun) {
      ($0.run, $0.former, $0.remembers) = ("run", "other's", remembered(5))
    },
    Case("closed, and started again", .resumed(5)) { ($0.remembers, $0.gate) = (remembered(5), .closed("word")) },
    Case("closed before, and put back to that", .begun) {
      ($0.remembers, $0.gate) = (remembered(5), .closed("an older word"))
    },
    Case("closed, and opened since", .begun) {
      ($0.remembers, $0.gate, $0.newest.closed) = (remembered(5), .closed("word"), "")
    },
    Case("not closed, and PostgreSQL neither", .begun) { ($0.remembers, $0.newest.closed) = (remembered(5), "") },
    Case("registered after the state that PostgreSQL was put back to", .reinstated(7)) {
      $0.remembers = remembered(7, id: "new")
    },
    Case("the same, restarted since", .begun) { $0.remembers = remembered(7) },
    Case("the same, known under an older number", .reinstated(7)) {
      ($0.remembers, $0.records.own) = (remembered(7, id: "new"), 4)
    },
  ]

  @Test("The rules", arguments: cases)
  func rules(_ one: Case) {
    let redis = RedisCandidate(
      replicationID: one.id, formerID: one.former, runID: one.run, location: one.location, registration: one.remembers,
      gate: one.gate, hasCarts: one.hasCarts)
    #expect(RedisAdmission(redis, one.records) == one.wanted)
  }

  @Test(
    "The place of a Redis: the same for the same words, and another one's on another host",
    arguments: [
      ("shop.example:6379", 0, "", "shop.example:6379", false),
      ("Shop.Example:6379", 0, "", "shop.example:6379", false),
      ("10.1.2.3:6379", 2, "", "10.1.2.3:6379/2/", false),
      ("10.1.2.3:6379", 0, "a|b:", "10.1.2.3:6379/0/a%7Cb:", false),
      ("127.0.0.1:6379", 0, "", "127.0.0.1:6379", true), ("localhost:6379", 0, "", "localhost:6379", true),
      ("[::1]:6379", 0, "", "::1:6379", true), ("unix:/nonexistent/r.sock", 0, "", "unix:/nonexistent/r.sock", true),
      ("unix:/../tmp/./r.sock", 0, "", "unix:/tmp/r.sock", true),
    ])
  func location(_ address: String, _ database: Int, _ prefix: String, _ place: String, _ isHere: Bool) throws {
    var configuration = RedisConfiguration(
      address: try #require(.init(address)), database: database, prefix: prefix, password: Array("secret".utf8))
    #expect(configuration.location == (isHere ? HostName.current + " " : "") + place)
    #expect(!HostName.current.isEmpty && !HostName.current.contains(" "))
    configuration.user = "somebody"
    #expect(!configuration.location.contains("somebody"))
  }

  @Test("The words at the gate", arguments: ["", "1", "superseded:12", "closed:a:b"])
  func gate(_ text: String) {
    #expect(RedisGate(text).text == text)
    #expect(RedisGate(nil) == .open)
  }
}
