import CartDomain
import Foundation
import TestSupport
import Testing

@testable import CartStores

@Suite("cartctl", .requiresPostgres, .requiresRedis)
struct ImportCommandTests {
  let bench: CommandBench
  var schema: PostgresSchema { bench.schema }
  var redis: RedisConfiguration { bench.redis }

  init() throws { bench = try CommandBench(migrated: false) }

  private func run(
    _ arguments: String..., environment more: [String: String] = [:]
  ) throws -> CommandResult { try bench.run(arguments, environment: more) }

  private func file(_ name: String, _ text: String) throws -> String {
    let url = bench.folder.appendingPathComponent(name)
    try Data(text.utf8).write(to: url)
    return url.path
  }

  @Test("migrates, imports, shows and retires, and Redis follows")
  func walk() throws {
    #expect(try run("catalog", "show", "A").errors.contains("has `cartctl migrate` been run?"))
    #expect(try run("migrate", "--json").json["migrated"] as? [Int] == PostgresMigration.all.map(\.version))
    #expect(try run("migrate").status == 0)
    let products = try file(
      "products.ndjson",
      """
      {"sku":"A","name":"Alpha","unitPrice":255,"currency":"GBP","stock":12,"merchantId":"m7"}
      {"sku":"B b","name":"Beta","unitPrice":5,"currency":"GBP"}
      """)
    let imported = try run("catalog", "import", products, "--json")
    #expect(imported.status == 0)
    #expect(imported.json["imported"] as? Bool == true && imported.json["published"] as? Bool == true)
    #expect(imported.json["added"] as? Int == 2 && (imported.json["badLines"] as? [Any])?.count == 0)
    #expect(try run("catalog", "import", products).output == "2 rows, 2 products: 0 added, 0 changed, 2 unchanged\n")

    let shown = try run("catalog", "show", "A", "--json")
    #expect(shown.json["unitPrice"] as? Int == 255 && shown.json["stock"] as? Int == 12)
    #expect(try run("catalog", "import", file("again.ndjson", shown.output), "--json").json["unchanged"] as? Int == 1)
    #expect(try run("catalog", "show", "none").status == 1)
    #expect(try run("catalog", "show", "B b").output.contains("0.05 GBP"))

    let store = StoreGraph(RedisConnection(redis), try schema.connection()).store
    let owner = try #require(CartOwner("user:7 x"))
    let added = try store.change(
      ChangeRequest(owner: owner, change: .add([LineAddition(sku: "A", quantity: 2)])))
    #expect(added.outcome == .changed)
    let cart = try run("show", "user:7 x")
    #expect(cart.output.hasPrefix("user:7 x, version 1, lines: 1\n"))
    #expect(cart.output.contains("Alpha") && cart.output.contains("total 5.10 GBP"))
    let json = try run("show", "user:7 x", "--json").json
    #expect((json["totals"] as? [String: Int])?["selected"] == 510)

    #expect(try run("catalog", "retire", "A", "none").status == 1)
    #expect(try run("catalog", "retire", "A").output == "1 retired, 0 were so before\n")
    #expect(try run("show", "user:7 x").output.contains("not_purchasable"))
    #expect(
      try run("show", "guest:abcdefghijklmnopqrstuvwx.mac").output.hasPrefix(
        "guest:abcdefghijklmnopqrstuvwx, version 0"))
  }

  @Test("tells every bad line on standard error, and its number")
  func badLines() throws {
    #expect(try run("migrate").status == 0)
    let products = try file("bad.ndjson", "{\"sku\":\"A\"}\n{\"sku\":\"B\",\"\\u001b[2J\u{9B}\":1}\nx\n")
    let result = try run("catalog", "import", products)
    #expect(result.status == 2)
    #expect(result.output == "")
    let lines = result.errors.split(separator: "\n")
    #expect(lines.count == 4)
    #expect(lines[0] == "line 1: missing, and the SKU is new: name, unitPrice, currency")
    #expect(lines[1] == "line 2: \\u{1b}[2J\\u{9b}: not a key of the catalogue")
    #expect(lines[2].hasPrefix("line 3: not valid JSON"))
    #expect(lines[3] == "cartctl: 3 bad lines among 3 rows; nothing was imported")
    let json = try run("catalog", "import", products, "--json")
    #expect(json.status == 2)
    #expect(json.json["imported"] as? Bool == false)
    #expect((json.json["badLines"] as? [[String: Any]])?.map { $0["line"] as? Int } == [1, 2, 3])
    #expect(!json.output.utf8.contains(0x1B) && !json.output.contains("\u{9B}"))
  }

  @Test("says apart that PostgreSQL has the change and Redis does not")
  func redisAway() throws {
    #expect(try run("migrate").status == 0)
    let products = try file("p.csv", "sku,name,unitPrice,currency\nA,a,1,GBP\n")
    let away = ["CART_REDIS": "unix:/nonexistent"]
    let result = try run("catalog", "import", products, environment: away)
    #expect(result.status == 3)
    #expect(result.errors.contains("PostgreSQL has the change, but Redis could not be told"))
    #expect(try schema.product("A") != nil)
    // The next import tells it, also where it changes nothing.
    #expect(try run("catalog", "import", products).status == 0)
    let connection = RedisConnection(redis)
    #expect(try connection.run("GET", connection.keys.published) == String(schema.catalogueVersion()))
    #expect(try run("show", "user:1", environment: away).status == 1)
  }

  @Test("wrong usage is 64, a file or a database that is not there 1")
  func usage() throws {
    #expect(try run("--help").status == 0)
    for arguments in [["nonsense"], ["catalog", "import"], ["show", "bob"], ["catalog", "show", " x"]] {
      let result = try run(
        arguments[0], arguments.count > 1 ? arguments[1] : "", arguments.count > 2 ? arguments[2] : "")
      #expect(result.status == 64, "\(arguments)")
    }
    let unknown = try run("catalog", "import", "/tmp/x.txt")
    #expect(unknown.status == 64 && unknown.errors.contains("--format"))
    let missing = try run("catalog", "import", "/nonexistent/\u{1B}x.csv")
    #expect(missing.status == 1)
    #expect(missing.errors == "cartctl: /nonexistent/\\u{1b}x.csv: No such file or directory\n")
    let away = try run("migrate", environment: ["CART_DATABASE": "host=/nonexistent password=secret"])
    #expect(away.status == 1 && !away.errors.contains("secret"))
    let config = try file("config", "CART_SCHEMA=\(schema.name)\n")
    #expect(try run("migrate", "--config", config).status == 0)
  }
}
