import TestSupport
import Testing

/// The client's own keys on a line, and the server's beside them.
@Suite struct ExtraData {
  let shop: any ShopUnderTest

  init() throws { shop = try openShop() }

  @Test func keysOfAllKindsComeBackAsSent() throws {
    let data: JSON = [
      "gift": true, "note": "Für Zoë \u{1F381} \"quoted\" \\ / \u{2028}",
      "nested": ["a": [1, 2, ["b": nil]], "c": [:]],
      "large": 9_007_199_254_740_993, "negative": -5, "ratio": 1.5, "nothing": nil, "list": [], "émoji 🎁": false,
    ]
    let user = shop.newUser()
    #expect(try user.add("t-a", extraData: data).line("t-a")["extraData"] == data)
    #expect(try user.cart().line("t-a")["extraData"] == data)
  }

  @Test func theyStandBesideTheServersKeys() throws {
    let sku = try shop.make("beside", ["stock": 9, "purchaseLimit": 8])
    let cart = try shop.newUser().add(sku, extraData: ["gift": true])
    #expect(cart.line(sku)["extraData"] == ["gift": true, "stock": "low", "purchaseLimit": 8])
  }

  @Test func theyAreReplacedClearedAndKept() throws {
    let user = shop.newUser()
    func data(_ cart: JSON) -> JSON { cart.line("t-a")["extraData"] }
    #expect(data(try user.add("t-a", extraData: ["a": 1, "b": 2])) == ["a": 1, "b": 2])
    #expect(data(try user.add("t-a")) == ["a": 1, "b": 2])
    #expect(data(try user.patch("t-a", ["quantity": 5])) == ["a": 1, "b": 2])
    #expect(data(try user.add("t-a", extraData: ["c": 3])) == ["c": 3])
    let patched = try user.patch("t-a", ["extraData": ["d": 4]])
    #expect(data(patched) == ["d": 4])
    #expect(patched["version"] == 5)
    #expect(data(try user.patch("t-a", ["extraData": [:]])) == [:])
    #expect(try user.patch("t-a", ["extraData": [:]])["version"] == 6)
    try user.add("t-a", extraData: ["e": 5])
    #expect(data(try user.add("t-a", extraData: [:])) == [:])
  }

  @Test func theyGoWithTheirLine() throws {
    let user = shop.newUser()
    try user.add("t-a", extraData: ["a": 1])
    try user.add("t-b", extraData: ["b": 1])
    try user.remove("t-a")
    #expect(try user.add("t-a").line("t-a")["extraData"] == [:])
    #expect(try user.cart().line("t-b")["extraData"] == ["b": 1])
    try user.clear()
    #expect(try user.add("t-b").line("t-b")["extraData"] == [:])
    try user.patch("t-b", ["quantity": 2, "extraData": ["x": 1]])
    try user.patch("t-b", ["delta": -2])
    #expect(try user.add("t-b").line("t-b")["extraData"] == [:])
    #expect(try user.cart()["counts"]["lines"] == 1)
  }

  @Test func eachEntryOfABulkHasItsOwn() throws {
    let body: JSON = [
      "lines": [["sku": "t-a", "extraData": ["n": 1]], ["sku": "t-b", "extraData": ["n": 2]]]
    ]
    let cart = try shop.newUser().send("POST", "/v1/cart/lines", body).json
    #expect(cart["lines"].elements.map(\.["extraData"]) == [["n": 1], ["n": 2]])
  }

  @Test(arguments: [
    "stock", "purchaseLimit", "customerLimit", "minimumQuantity", "quantityStep", "availableFrom", "availableUntil",
  ])
  func theServersNamesAreReserved(name: String) throws {
    let user = shop.newUser()
    let before = try user.add("t-a")
    let data: JSON = ["x": .object([name: 1])]
    let reserved = data.setting(name, 1)
    let bulk: JSON = ["lines": [["sku": "t-a"], ["sku": "t-a", "extraData": reserved]]]
    for (method, target, body, pointer) in [
      ("POST", "/v1/cart/lines", ["sku": "t-a", "extraData": reserved], ""),
      ("POST", "/v1/cart/lines", bulk, "/lines/1"), ("PATCH", linePath("t-a"), ["extraData": reserved], ""),
    ] as [(String, String, JSON, String)] {
      try expectProblem(
        user.send(method, target, body), 422, "reserved_key", pointer: pointer + "/extraData/" + name)
    }
    #expect(try user.cart() == before)
    // Deeper down they are the client's.
    #expect(try user.patch("t-a", ["extraData": data]).line("t-a")["extraData"] == data)
    #expect(try user.add("t-a", extraData: data).line("t-a")["extraData"] == data)
  }

  @Test func eachServerKeyStandsWhereItSaysSomething() throws {
    let sku = try shop.make(
      "keys",
      [
        "purchaseLimit": 50, "customerLimit": 40, "minimumQuantity": 2, "quantityStep": 2,
        "availableFrom": "1970-01-01T00:00:00Z", "availableUntil": "2096-10-02T07:06:40Z",
      ])
    let plain = try shop.make("plain", ["minimumQuantity": 1, "quantityStep": 1])
    let answer = try shop.newUser().send(
      "POST", "/v1/cart/lines",
      text: #"{"lines":[{"sku":"\#(sku)","quantity":2,"extraData":{"b":1,"a":[]}},{"sku":"\#(plain)"}]}"#)
    #expect(
      answer.text.contains(
        """
        "extraData":{"purchaseLimit":50,"customerLimit":40,"minimumQuantity":2,"quantityStep":2,\
        "availableFrom":"1970-01-01T00:00:00Z","availableUntil":"2096-10-02T07:06:40Z","a":[],"b":1}
        """))
    #expect(answer.line(plain)["extraData"] == [:])
  }

  @Test func aKilobyteOfCompactJSONIsTheMost() throws {
    let user = shop.newUser()
    // {"k":"…"} takes eight bytes around its text.
    let fits: JSON = ["k": .string(String(repeating: "x", count: 1_016))]
    // Bytes of UTF-8 count, not characters.
    for text in [String(repeating: "x", count: 1_017), String(repeating: "é", count: 509)] {
      let add: JSON = ["sku": "t-b", "extraData": ["k": .string(text)]]
      for (method, target, body) in [
        ("POST", "/v1/cart/lines", add), ("PATCH", linePath("t-a"), ["extraData": add["extraData"]]),
      ] as [(String, String, JSON)] {
        try expectProblem(user.send(method, target, body), 422, "extra_data_too_large", pointer: "/extraData")
      }
    }
    #expect(try user.add("t-a", extraData: fits).line("t-a")["extraData"] == fits)
    // White space of the request does not count.
    let spaced = "{\"extraData\": {" + String(repeating: " ", count: 5_000) + "\"k\" : 1 } }"
    #expect(try user.send("PATCH", linePath("t-a"), text: spaced).line("t-a")["extraData"] == ["k": 1])
    #expect(try user.patch("t-a", ["extraData": fits]).line("t-a")["extraData"] == fits)
  }
}
