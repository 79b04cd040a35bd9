import CartDomain
import Foundation
import TestSupport
import Testing

@testable import CartStores

@Suite("cartctl on carts", .requiresPostgres, .requiresRedis)
struct CartCommandTests {
  private let bench: CommandBench
  private let stores: TwoStores
  private let user = "user:ann 7"
  private let owner = CartOwner("user:ann 7")!

  init() throws {
    bench = try CommandBench()
    stores = try TwoStores(bench.redis, schema: bench.schema)
    stores.shop.put("A", price: 250)
    try stores.add(owner, "A", 3)
  }

  private func emptyRedis() throws { try stores.redis.removeAll() }

  @Test("sync: one cart, then everything; a refused cart is named, with an exit code of its own")
  func sync() throws {
    #expect(try bench.run("sync", user).output == "user:ann 7: version 1 is persisted\n")
    #expect(try bench.run("sync", "user:nobody", "--json").json["persistedVersion"] as? Int == 0)
    let all = try bench.run("sync", "--all", "--json")
    #expect(all.status == 0 && all.json["recorded"] as? Int == 1)
    #expect(try bench.run("sync", "--all").output == "persisted: 0 carts; recorded: 0 changes\n")
    try stores.redis.run("HSET", stores.key(of: owner), "=A", "x", "#v", "2")
    #expect(try bench.run("sync", user).status == 4)
    try stores.redis.run("ZADD", stores.redis.keys.dirty, "1", stores.key(of: owner))
    let refused = try bench.run("sync", "--all")
    #expect(refused.status == 4 && refused.errors.contains("refused: user:ann 7"))
    #expect(try bench.run("sync").status == 64)
    #expect(try bench.run("sync", "--all", user).status == 64)
  }

  @Test("restore and rebuild say what became of carts")
  func restore() throws {
    #expect(try bench.run("restore", user).output == "user:ann 7: Redis has it; nothing was done\n")
    _ = try bench.run("sync", "--all")
    try emptyRedis()
    #expect(try bench.run("rebuild", "--dry-run").output == "carts: 1, missing: 1, present: 0\n")
    #expect(try bench.run("restore", user, "--json").json["outcome"] as? String == "restored")
    #expect(try bench.run("restore", "user:nobody").output == "user:nobody: neither store has it\n")
    try emptyRedis()
    let rebuilt = try bench.run("rebuild", "--json").json
    #expect(rebuilt["carts"] as? Int == 1 && rebuilt["restored"] as? Int == 1)
    #expect(try bench.run("rebuild").output == "carts: 1, restored: 0, confirmed: 0, present: 1, absent: 0\n")
    #expect(try bench.run("rebuild", "--after", user).output.hasPrefix("carts: 0,"))
    #expect(try bench.run("show", user).output.hasPrefix("user:ann 7, version 2000000, lines: 1\n"))
  }

  @Test("log tells where a line went")
  func log() throws {
    _ = try stores.store.change(ChangeRequest(owner: owner, change: .remove(.skus(["A"])), requestID: "r2"))
    #expect(try bench.run("log", user).output == "user:ann 7: nothing is recorded\n")
    _ = try bench.run("sync", "--all")
    let lines = try bench.run("log", user).output.split(separator: "\n")
    #expect(lines.count == 3 && lines[1].contains("new -> 3 at 2.50 GBP"))
    #expect(lines[2].contains("3 at 2.50 GBP -> gone") && lines[2].hasSuffix("r2"))
    let json = try bench.run("log", user, "--json", "--sku", "A", "--limit", "1").list
    #expect(json.count == 1 && json[0]["version"] as? Int == 2 && json[0]["after"] is NSNull)
    #expect(try bench.run("log", user, "--since", "2999-01-01", "--json").output == "[]\n")
    try stores.add(owner, "A")
    for flag in [false, true] {
      _ = try stores.store.change(ChangeRequest(owner: owner, change: .select(flag, .all), requestID: "r3"))
    }
    _ = try bench.run("sync", "--all")
    let selections = try bench.run("log", user, "--limit", "2").output.split(separator: "\n")
    #expect(selections[1].contains(" deselected ") && selections[2].contains(" selected "))
    let states = try bench.run("log", user, "--json", "--limit", "1").list[0]
    #expect(states["before"] as? [String: Bool] == ["selected": false])
    #expect(states["after"] as? [String: Bool] == ["selected": true])
    #expect(try bench.run("log", user, "--since", "yesterday").status == 64)
    #expect(try bench.run("log", user, "--limit", "0").status == 64)
  }

  @Test("show takes PostgreSQL's copy where Redis has none or is away, and says so")
  func show() throws {
    #expect(try bench.run("show", user).output.contains("PostgreSQL has none"))
    _ = try bench.run("sync", user)
    let shown = try bench.run("show", user).output
    #expect(shown.contains("from Redis") && shown.contains("PostgreSQL has version 1") && shown.contains("all of it"))
    let away = try bench.run("show", user, environment: ["CART_REDIS": "unix:/nonexistent"])
    #expect(away.status == 0 && away.output.hasPrefix("user:ann 7, version 1, lines: 1\n"))
    #expect(away.output.contains("Redis can't tell") && away.output.contains("from PostgreSQL, as of "))
    try emptyRedis()
    let stores = try bench.run("show", user, "--json").json["stores"] as? [String: Any]
    #expect(stores?["source"] as? String == "postgres" && stores?["persistedVersion"] as? Int == 1)
    // Looking at it has brought nothing back.
    #expect(try self.stores.redis.hash(of: owner) == nil)
    #expect(try bench.run("show", "user:x", environment: ["CART_DATABASE": "host=/nonexistent"]).status == 1)
  }

  @Test("forget wants a yes, and leaves nothing")
  func forget() throws {
    _ = try bench.run("sync", "--all")
    let unasked = try bench.run("forget", user)
    #expect(unasked.status == 64 && unasked.errors.contains("--yes"))
    #expect(
      try bench.run("forget", user, "--yes").output
        == "user:ann 7: deleted in Redis and PostgreSQL; removed: 1 recorded changes, 0 commands\n")
    #expect(try bench.run("show", user).output == "user:ann 7, version 0, lines: 0\nneither store has a cart\n")
    #expect(try bench.run("forget", user, "--yes", "--json").json["wasInPostgres"] as? Bool == false)
    #expect(try bench.run("rebuild", "--dry-run", "--json").json["carts"] as? Int == 0)
  }

  @Test("status shows both stores, and one that is away")
  func status() throws {
    let status = try bench.run("status", "--json")
    #expect(status.status == 0, "\(status)")
    #expect((status.json["sync"] as? [String: Any])?["dirty"] as? Int == 1)
    #expect((status.json["redis"] as? [String: Any])?["up"] as? Bool == true)
    // On a host whose workers somebody else starts there is no responder.
    #expect((status.json["pool"] as? [String: Any])?["up"] as? Bool == false)
    let away = try bench.run("status", environment: ["CART_REDIS": "unix:/nonexistent"])
    #expect(away.status == 1 && away.output.contains("redis       away: ") && away.output.contains("postgres    1"))
    #expect(!away.output.contains("\u{1B}"), "no colours where there is no terminal")
  }
}
