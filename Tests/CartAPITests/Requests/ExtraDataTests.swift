import CartAPI
import CartDomain
import Testing

/// The client's own keys, and the server's beside them.
@Suite struct ExtraData {
  @Test(arguments: [
    (0, "out"), (1, "insufficient"), (2, "low"), (20, "low"), (21, "in"), (5_000, "in"),
  ])
  func theStockMark(stock: Int, mark: String) throws {
    let shop = try Shop()
    try shop.sell("A", stock: 100)
    shop.send("POST", "/v1/cart/lines", #"{"sku":"A","quantity":2}"#, user: "u")
    try shop.sell("A", stock: stock)
    #expect(shop.send("GET", "/v1/cart", user: "u").line("A")["extraData"] == ["stock": .string(mark)])
  }

  @Test func eachServerKeyStandsWhereItSaysSomething() throws {
    let shop = try Shop()
    try shop.sell("A") { content in
      content.purchaseLimit = 50
      content.customerLimit = 40
      content.minimumQuantity = 2
      content.quantityStep = 2
      content.availableFrom = Timestamp(seconds: 0)
      content.availableUntil = Timestamp(seconds: 4_000_000_000)
    }
    try shop.sell("B") { content in
      content.minimumQuantity = 1
      content.quantityStep = 1
    }
    shop.send(
      "POST", "/v1/cart/lines", #"{"lines":[{"sku":"A","quantity":2,"extraData":{"b":1,"a":[]}},{"sku":"B"}]}"#,
      user: "u")
    let answer = shop.send("GET", "/v1/cart", user: "u")
    #expect(
      answer.text.contains(
        """
        "extraData":{"purchaseLimit":50,"customerLimit":40,"minimumQuantity":2,"quantityStep":2,\
        "availableFrom":"1970-01-01T00:00:00Z","availableUntil":"2096-10-02T07:06:40Z","a":[],"b":1}
        """))
    #expect(answer.line("B")["extraData"] == [:])
  }

  @Test(arguments: [
    "stock", "purchaseLimit", "customerLimit", "minimumQuantity", "quantityStep", "availableFrom", "availableUntil",
  ])
  func theServersNamesAreReserved(name: String) throws {
    let shop = try Shop()
    try shop.sell("A")
    let data = #"{"x":{"\#(name)":1},"\#(name)":1}"#
    expectProblem(
      shop.send("POST", "/v1/cart/lines", #"{"lines":[{"sku":"A"},{"sku":"A","extraData":\#(data)}]}"#, user: "u"), 422,
      "reserved_key", pointer: "/lines/1/extraData/\(name)")
    expectProblem(
      shop.send("PATCH", "/v1/cart/lines/A", #"{"extraData":\#(data)}"#, user: "u"), 422, "reserved_key",
      pointer: "/extraData/\(name)")
    let deeper = #"{"sku":"A","extraData":{"x":{"\#(name)":1}}}"#
    #expect(shop.send("POST", "/v1/cart/lines", deeper, user: "u").status == 200)
  }

  @Test func aKilobyteOfCompactJSONIsTheMost() throws {
    let shop = try Shop()
    try shop.sell("A")
    func body(_ count: Int) -> String {
      #"{"sku":"A","extraData":{    "k" : "\#(String(repeating: "x", count: count))"}}"#
    }
    #expect(shop.send("POST", "/v1/cart/lines", body(1_016), user: "u").status == 200)
    expectProblem(
      shop.send("POST", "/v1/cart/lines", body(1_017), user: "u"), 422, "extra_data_too_large", pointer: "/extraData")
  }
}
