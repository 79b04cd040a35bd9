import CartDomain
import Testing

@testable import CartStores

/// A log of changes that is not in Redis.
private final class MemoryLog: ChangeLog {
  private(set) var events: [CartEvent] = []
  private(set) var aside: [CartEvent] = []

  /// Takes over what waits in a stream.
  func append(from stores: TwoStores) throws {
    events += try stores.redis.events()
    for event in try stores.redis.events() { try stores.redis.run("XDEL", stores.redis.keys.stream, event.id) }
  }

  func read(after position: LogPosition, waiting milliseconds: Int) -> ChangeBatch {
    var batch = ChangeBatch()
    batch.events = Array(events.filter { LogPosition($0.id) > position }.prefix(2))
    batch.entries = batch.events.map { ($0.id, $0.owner) }
    return batch
  }

  func end() -> LogPosition { events.last.map { LogPosition($0.id) } ?? .start }
  func position(before moment: Timestamp) -> LogPosition { LogPosition(String(moment.milliseconds)) }
  func length() -> Int { events.count }
  func isAnythingLeft(upTo position: LogPosition) -> Bool { events.contains { LogPosition($0.id) <= position } }
  func remove(_ ids: [String]) { events.removeAll { ids.contains($0.id) } }

  func setAside(_ ids: [String], of owner: CartOwner, until next: Timestamp, reason: String?) {
    aside += events.filter { ids.contains($0.id) }
    remove(ids)
  }

  func remove(_ owner: CartOwner) -> Int {
    let count = events.count
    events.removeAll { $0.owner == owner }
    return count - events.count
  }
}

@Suite("Logs of changes", .requiresRedis, .requiresPostgres)
struct ChangeLogTests {
  @Test("A syncer takes changes from whatever log it is given, in their order, and trims it by what is recorded")
  func anotherLog() throws {
    let stores = try TwoStores()
    stores.shop.put("A")
    let users = (0..<3).map { _ in CartOwner.anyUser() }
    let bad = CartOwner.anyUser()
    for _ in 0..<3 {
      for user in users + [bad] { try stores.add(user, "A") }
    }
    let log = MemoryLog()
    try log.append(from: stores)
    _ = try stores.schema.rows("ALTER TABLE cart_events ADD CONSTRAINT poison CHECK (owner_id <> '\(bad.id)')")
    let syncer = Syncer(stores.graph, name: "one", log: log)
    let end = RedisClock.monotonic + 30_000
    while log.length() > 0, RedisClock.monotonic < end { try syncer.turn() }
    for user in users { #expect(try stores.archive.changes(of: user, limit: 9).map(\.version) == [1, 2, 3]) }
    #expect(log.aside.map(\.owner) == [bad, bad, bad])
    #expect(log.aside.map(\.version) == [1, 2, 3])
    for user in users + [bad] { #expect(try stores.archive.row(of: user)?.hash.cart.version == 3) }
  }

  @Test("Positions are ordered by their numbers")
  func positions() {
    #expect(LogPosition("9-9") < LogPosition("10-0") && LogPosition("10-9") < LogPosition("10-10"))
    #expect(LogPosition.start < LogPosition("0-1") && LogPosition("7") < LogPosition("7-1"))
  }
}
