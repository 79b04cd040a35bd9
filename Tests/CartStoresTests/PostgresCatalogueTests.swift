import CartDomain
import Foundation
import Testing

@testable import CartStores

@Suite("The catalogue in PostgreSQL", .requiresPostgres)
struct PostgresCatalogueTests {
  let schema: PostgresSchema
  let catalogue: PostgresCatalogue

  init() throws {
    schema = try PostgresSchema()
    catalogue = PostgresCatalogue(try schema.connection())
  }

  private func sku(_ text: String) throws -> SKU { try #require(SKU(text)) }

  @Test("gives back every field as it was imported")
  func fields() throws {
    try schema.loadAll(
      #"""
      {"sku":"it's \"A\"/ü","merchantId":"m 7","name":"Näme \\ {x}","picture":"/p?a=1,2","unitPrice":1000000000,\#
      "currency":"JPY","stock":0,"purchaseLimit":1,"customerLimit":2,"minimumQuantity":3,"quantityStep":4,\#
      "availableFrom":"1970-01-01T00:00:00.001Z","availableUntil":"9999-12-31T23:59:59.999Z","active":false}
      """#)
    let product = try #require(try schema.product("it's \"A\"/ü"))
    let expected = ProductRevision.Content(
      sku: try sku("it's \"A\"/ü"), merchantID: try #require(MerchantID("m 7")), name: "Näme \\ {x}",
      picture: "/p?a=1,2",
      unitPrice: Money(minorUnits: 1_000_000_000, currency: try #require(Currency("JPY"))), purchaseLimit: 1,
      customerLimit: 2, minimumQuantity: 3, quantityStep: 4, availableFrom: Timestamp(milliseconds: 1),
      availableUntil: Timestamp(milliseconds: 253_402_300_799_999), isActive: false)
    #expect(product.content == expected)
    #expect(product.stock == 0)
  }

  @Test("answers in the order of the question, nil for what is not there")
  func order() throws {
    try schema.loadAll(
      """
      {"sku":"A","name":"a","unitPrice":1,"currency":"GBP"}
      {"sku":"a","name":"b","unitPrice":2,"currency":"GBP","stock":5}
      """)
    let found = try catalogue.products(for: [sku("a"), sku("none"), sku("A"), sku("a")])
    #expect(found.map { $0?.content.name } == ["b", nil, "a", "b"])
    #expect(found.map { $0?.stock } == [5, nil, nil, 5])
    let ids = found.compactMap { $0?.revision.id }
    let revisions = try catalogue.revisions([ids[1], #require(RevisionID("AAAAAAAAAAAAAAAA")), ids[0]])
    #expect(revisions.map { $0?.content.name } == ["a", nil, "b"])
    #expect(try catalogue.products(for: []).isEmpty && catalogue.revisions([]).isEmpty)
  }

  @Test("keeps every revision, and the same content is the same revision again")
  func revisions() throws {
    func revision(price: Int) throws -> RevisionID {
      try schema.loadAll("{\"sku\":\"A\",\"name\":\"a\",\"unitPrice\":\(price),\"currency\":\"GBP\"}")
      return try #require(try schema.product("A")).revision.id
    }
    let first = try revision(price: 1)
    let second = try revision(price: 2)
    #expect(first != second)
    #expect(try revision(price: 1) == first)
    #expect(try catalogue.revisions([first, second]).map { $0?.content.unitPrice.minorUnits } == [1, 2])
    #expect(try schema.rows("SELECT count(*) FROM product_revisions") == [["2"]])
  }

  @Test("names a revision the same in any schema and time zone, and another one for any other field")
  func revisionNames() throws {
    let base = #""sku":"A","name":"a","unitPrice":1,"currency":"GBP""#
    let variants = [
      "", #","merchantId":"m""#, #","picture":"a""#, #","purchaseLimit":1"#, #","customerLimit":1"#,
      #","minimumQuantity":1"#, #","quantityStep":1"#, #","availableFrom":"2026-01-01T00:00:00Z""#,
      #","availableUntil":"2026-01-01T00:00:00Z""#, #","active":false"#,
    ]
    var names: Set<RevisionID> = []
    for variant in variants {
      let fresh = try PostgresSchema()
      try fresh.loadAll("{\(base)\(variant)}")
      let id = try #require(try fresh.product("A")).revision.id
      names.insert(id)
      #expect(
        try fresh.rows(
          """
          SET TimeZone TO 'Asia/Kathmandu';
          SELECT product_revision_id(sku, merchant_id, name, picture, unit_price, currency, purchase_limit,
            customer_limit, minimum_quantity, quantity_step, available_from, available_until, active) FROM skus
          """) == [[id.text]])
    }
    #expect(names.count == variants.count)
    // The name is a promise to carts that point at it: it must not change with the program.
    #expect(names.contains(try #require(RevisionID("w2aG6yqMsGn35OYP"))))
  }

  @Test("raises the catalogueVersion where something changed, and only there")
  func catalogueVersion() throws {
    let start = try schema.catalogueVersion()
    let text = """
      {"sku":"A","name":"a","unitPrice":1,"currency":"GBP","stock":3}
      {"sku":"B","name":"b","unitPrice":1,"currency":"GBP"}
      """
    try schema.loadAll(text)
    let first = try schema.catalogueVersion()
    #expect(first > start)
    let before = try schema.rows("SELECT sku, generation, updated_at FROM products ORDER BY sku")
    let report = try schema.loadAll(text)
    #expect((report.added, report.changed, report.unchanged) == (0, 0, 2))
    #expect(try schema.catalogueVersion() == first)
    #expect(report.catalogueVersion == first)
    #expect(try schema.rows("SELECT sku, generation, updated_at FROM products ORDER BY sku") == before)
    let after = try schema.loadAll(#"{"sku":"A","unitPrice":2}"#)
    let second = try schema.catalogueVersion()
    #expect(second > first && second == after.catalogueVersion)
    let rows = try schema.rows("SELECT sku, generation, updated_at FROM products ORDER BY sku")
    #expect(rows[1] == before[1])
    #expect(rows[0][1] == String(second) && rows[0][2] != before[0][2])
    // Stock has numbers of its own.
    #expect(try schema.loadAll(#"{"sku":"A","stock":4}"#).changed == 1)
    #expect(try schema.catalogueVersion() == second)
  }

  @Test("a number is not given again after the database was put back")
  func generationAfterRestore() throws {
    try schema.loadAll(#"{"sku":"A","name":"a","unitPrice":1,"currency":"GBP"}"#)
    let lost = try schema.catalogueVersion()
    _ = try schema.rows("DELETE FROM products; UPDATE catalogue_state SET generation = 1")
    try schema.loadAll(#"{"sku":"A","name":"b","unitPrice":1,"currency":"GBP"}"#)
    #expect(try schema.catalogueVersion() > lost)
  }

  @Test("tells what changed since a catalogueVersion, all of it, in batches")
  func changes() throws {
    func changed(since catalogueVersion: Int64) throws -> [String] {
      var names: [String] = []
      var place: CataloguePlace? = CataloguePlace(after: catalogueVersion)
      while let present = place {
        let page = try catalogue.changed(after: present)
        #expect((0...500).contains(page.products.count))
        names += page.products.map(\.content.sku.text)
        place = page.next
      }
      return names
    }
    #expect(try changed(since: 0) == [])
    let skus = (0..<1_203).map { "S\($0)" }
    try schema.loadAll(
      skus.map { "{\"sku\":\"\($0)\",\"name\":\"n\",\"unitPrice\":1,\"currency\":\"GBP\"}\n" }.joined())
    let first = try schema.catalogueVersion()
    #expect(try changed(since: 0).sorted() == skus.sorted())
    #expect(try changed(since: first) == [])
    try schema.loadAll("{\"sku\":\"S7\",\"unitPrice\":2}\n{\"sku\":\"S8\",\"unitPrice\":1}")
    #expect(try changed(since: first) == ["S7"])
    #expect(try changed(since: schema.catalogueVersion()) == [])
  }

  @Test("the analysts' view has the columns that the contract names")
  func view() throws {
    try schema.loadAll(
      #"{"sku":"A","name":"a","unitPrice":255,"currency":"GBP","stock":3,"availableFrom":"2026-01-01T00:00:00Z"}"#)
    let columns = try schema.rows(
      """
      SELECT column_name FROM information_schema.columns
      WHERE table_schema = current_schema() AND table_name = 'skus' ORDER BY ordinal_position
      """
    ).map { $0[0] ?? "" }
    #expect(
      columns.joined(separator: ", ") == """
        sku, merchant_id, name, picture, unit_price, currency, stock, purchase_limit, customer_limit, \
        minimum_quantity, quantity_step, available_from, available_until, active, updated_at
        """)
    let row = try schema.rows("SELECT \(columns.dropLast().joined(separator: ", ")) FROM skus")
    #expect(
      row == [["A", "main", "a", nil, "255", "GBP", "3", nil, nil, nil, nil, "2026-01-01 00:00:00+00", nil, "t"]])
  }

  @Test("retires all that are named, or none")
  func retire() throws {
    try schema.loadAll(
      """
      {"sku":"A","name":"a","unitPrice":1,"currency":"GBP","stock":3}
      {"sku":"B","name":"b","unitPrice":1,"currency":"GBP"}
      """)
    let retirement = CatalogueRetirement(try schema.connection())
    #expect(try retirement.run([sku("A"), sku("Q"), sku("P")]) == .unknown([sku("P"), sku("Q")]))
    #expect(try schema.product("A")?.content.isActive == true)
    guard case .done(let retired, let catalogueVersion) = try retirement.run([sku("A"), sku("A")]) else {
      Issue.record("refused")
      return
    }
    #expect(retired == 1)
    #expect(try schema.catalogueVersion() == catalogueVersion)
    #expect(try schema.product("A")?.content.isActive == false)
    #expect(try schema.product("A")?.stock == 3)
    #expect(try schema.product("B")?.content.isActive == true)
    #expect(try retirement.run([sku("A")]) == .done(retired: 0, catalogueVersion: catalogueVersion))
    try schema.loadAll(#"{"sku":"A","active":true}"#)
    #expect(try schema.product("A")?.content.isActive == true)
  }

  @Test("says that it is away, not that there is nothing")
  func away() throws {
    let configuration = try PostgresConfiguration(connectionString: "host=/nonexistent")
    let catalogue = PostgresCatalogue(PostgresConnection(configuration))
    let error = #expect(throws: StoreError.self) { try catalogue.products(for: [sku("A")]) }
    #expect(error?.code == .unavailable)
    #expect(error?.isOutcomeUnknown == false)
  }
}
