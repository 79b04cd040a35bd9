import TestSupport
import Testing

extension EndToEnd {
  /// What monitoring asks.
  @Suite struct Operations {
    let shop: any ShopUnderTest

    init() throws { shop = try openShop() }

    @Test func theServerIsAlive() throws {
      let answer = try shop.newGuest().send("GET", "/ops/health")
      #expect(answer.status == 200)
      #expect(answer["Content-Length"] == String(answer.body.count))
      #expect(try shop.newGuest().send("HEAD", "/ops/health").status == 200)
    }

    @Test func cartctlShowsACart() throws {
      let user = shop.newUser()
      try user.add("t-a", 3)
      let result = try TestSystem.cartctl("show", "user:" + (user.user ?? ""), "--json")
      #expect(result.status == 0, "\(result.errors)")
      let shown = try JSON(Array(result.output.utf8))
      #expect(shown["version"] == 1)
      #expect(shown.line("t-a")["quantity"] == 3)
    }

    @Test func cartctlSyncsACartAndTellsWhatWasDone() throws {
      let user = shop.newUser()
      let owner = "user:" + (user.user ?? "")
      try user.add("t-a", 3)
      try user.add("t-a", 1)
      let synced = try TestSystem.cartctl("sync", owner, "--json")
      #expect(synced.status == 0, "\(synced.errors)")
      #expect(try JSON(Array(synced.output.utf8))["persistedVersion"] == 2)
      // The record is the syncer's, or that of whoever does its work.
      #expect(try TestSystem.cartctl("sync", "--all").status == 0)
      let log = try eventually(within: 10) {
        let log = try TestSystem.cartctl("log", owner, "--json", "--sku", "t-a")
        return try JSON(Array(log.output.utf8)).elements.map(\.["after"]["quantity"])
      } until: { changes in
        changes.count == 2
      }
      #expect(log == [3, 4])
      #expect(try TestSystem.cartctl("restore", owner).output == "\(owner): Redis has it; nothing was done\n")
      let shown = try TestSystem.cartctl("show", owner, "--json")
      #expect(try JSON(Array(shown.output.utf8))["stores"]["persistedVersion"] == 2)
    }

    @Test func cartctlForgetsACart() throws {
      let user = shop.newUser()
      let owner = "user:" + (user.user ?? "")
      try user.add("t-a", 3)
      #expect(try TestSystem.cartctl("sync", owner).status == 0)
      #expect(try TestSystem.cartctl("forget", owner, "--yes").status == 0)
      let cart = try user.cart()
      #expect(cart["lines"] == [] && cart["version"] == 0)
      try user.add("t-b", 1)
      #expect(try TestSystem.cartctl("sync", owner).status == 0)
    }

    @Test func cartctlKnowsHowTheInstanceIs() throws {
      let status = try TestSystem.cartctl("status", "--json")
      #expect(status.status == 0, "\(status.errors)")
      let json = try JSON(Array(status.output.utf8))
      #expect(json["redis"]["up"] == true && json["postgres"]["pendingMigrations"] == 0)
      #expect(json["pool"]["up"] == true && json["pool"]["workers"] == 4)
      let doctor = try TestSystem.cartctl("doctor", "--json")
      let findings = try JSON(Array(doctor.output.utf8)).elements
      #expect(!findings.isEmpty && !findings.contains { $0["weight"] == "failure" }, "\(doctor.output)")
      #expect(findings.contains { $0["subject"] == "pool" && $0["weight"] == "ok" })
    }

    @Test func cartctlShowsAProduct() throws {
      let result = try TestSystem.cartctl("catalog", "show", "t-a", "--json")
      #expect(result.status == 0, "\(result.errors)")
      #expect(result.output.contains("t-a"))
      #expect(result.output.contains("255"))
      #expect(try TestSystem.cartctl("catalog", "show", "t-nothing").status != 0)
    }
  }
}
