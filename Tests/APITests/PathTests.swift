import TestSupport
import Testing

/// The way in: paths, escapes, SKUs that need them, long lines.
@Suite struct Paths {
  let shop: any ShopUnderTest

  init() throws { shop = try openShop() }

  @Test(arguments: [
    "/v1", "/v1/", "/v1/cart/", "/v1//cart", "//v1/cart", "/v1/cart//lines", "/v1/cart/lines/", "/v1/cart/lines//x",
    "/v1/cart/lines/a/b", "/v1/cart/lines/a/", "/v1/carts", "/v1/Cart", "/v1/cart/line", "/v1/./cart",
    "/v1/cart/./lines", "/v1/cart/lines/../selection", "/v1/x/../cart", "/v1/cart/prices",
    "/v1/cart/prices/acknowledge/", "/v1/cart/selection/x", "/v1/cart;x", "/v1%2Fcart", "/v1/cart%2Flines",
    "/v1/cart%20", "/v1/cart%3Fview=summary", "/v1/cart+",
  ])
  func whatIsNotThere(target: String) throws {
    for body in [nil, [:]] as [JSON?] {
      let answer = try shop.newGuest().send(body == nil ? "GET" : "POST", target, body)
      expectProblem(answer, 404, "not_found", hasCart: false)
    }
  }

  @Test func anEncodedLetterIsTheLetter() throws {
    let answer = try shop.newGuest().send("GET", "/v1/c%61rt")
    #expect(answer.status == 200)
    #expect(answer.json["lines"] == [])
  }

  @Test(arguments: [
    "%", "%4", "%zz", "%4g", "a%", "%ff", "%C3", "%C0%AF", "%ED%A0%80", "a%C3%28b", "%00", "a%00b", "a#b",
  ])
  func aBadEscapeIsAMalformedRequest(part: String) throws {
    let user = shop.newUser()
    let before = try user.add("t-a")
    for method in ["PATCH", "DELETE", "GET"] {
      let answer = try user.send(method, "/v1/cart/lines/" + part, method == "PATCH" ? ["quantity": 2] : nil)
      expectProblem(answer, 400, "malformed_request")
    }
    #expect(try user.cart() == before)
  }

  @Test func rawBytesInAPath() throws {
    for bytes in [[0xFF], [0xC3, 0x28], [0x80]] as [[UInt8]] {
      var request = Request("DELETE", "/v1/cart/lines/")
      request.target += bytes
      try expectProblem(shop.newUser().send(request), 400, "malformed_request")
    }
    let sku = try shop.make("räw-用户")
    let user = shop.newUser()
    try user.add(sku)
    #expect(try user.send("DELETE", "/v1/cart/lines/" + sku).json["version"] == 2)
  }

  @Test(arguments: [
    "%2E", "%2e%2e", "a%2F..", "a%2F.%2Fb", "%20a", "a%20", "%09", "a%0Ab", "a%7F",
    "12345678901234567890123456789012345678901234567890123456789012345",
  ])
  func whatCannotBeASKUIsAnInvalidField(part: String) throws {
    let user = shop.newUser()
    try expectProblem(user.send("PATCH", "/v1/cart/lines/" + part, ["quantity": 1]), 422, "invalid_field")
    try expectProblem(user.send("DELETE", "/v1/cart/lines/" + part), 422, "invalid_field")
  }

  /// Shops name their products as they like.
  static let names = [
    "BANK CHARGES", "gift_0001_20", "a/b", "a//b", "/a", "a/", "a/b/c", "50%", "%41", "%2F", "a%20b", "\"quoted\"",
    "it's", "back\\slash", "a|b", "#v", "?x=1&y=2", "a+b", "a;b,c:d", "{}", "[0]", "$1", "<b>", "«Größe»", "用户",
    "Кофе", "قهوة", "👩‍👩‍👧", "🎁", "Z\u{0301}", "~._-", "...", "..a", "null", "0", "-1", "__proto__", "#version",
    "l:x", "*", "`", "^",
  ]

  @Test func anyNameWorksEverywhere() throws {
    // Names keep their own beginning where it matters, so what makes them unique stands behind.
    let end = uniqueText()
    let skus = Self.names.map { $0 + ($0.hasSuffix("/") ? "" : " ") + end }
    try shop.load(skus.map { Products.product($0, price: 10) })
    let user = shop.newUser()
    for sku in skus { #expect(try user.add(sku, 2).line(sku)["quantity"] == 2, "\(sku)") }
    #expect(try user.cart().skus == skus)
    for sku in skus {
      #expect(try user.patch(sku, ["delta": 1]).line(sku)["quantity"] == 3, "\(sku)")
      let cart = try user.select(["selected": false, "skus": ["\(sku)"]])
      #expect(cart.line(sku)["selected"] == false, "\(sku)")
    }
    for (index, sku) in skus.enumerated() {
      let cart =
        index.isMultiple(of: 2)
        ? try user.remove(sku) : try user.send("DELETE", "/v1/cart/lines?sku=" + percentEncoded(sku)).json
      #expect(cart.skus == Array(skus.dropFirst(index + 1)), "\(sku)")
    }
  }

  @Test func twoSpellingsOfOneLetterAreTwoSKUs() throws {
    let stem = Products.freshSKU("n")
    let composed = stem + "\u{E9}"
    let decomposed = stem + "e\u{301}"
    try shop.load([Products.product(composed, price: 1), Products.product(decomposed, price: 2)])
    let user = shop.newUser()
    try user.add([(composed, 1)])
    let cart = try user.add([(decomposed, 1)])
    #expect(cart["lines"].elements.map(\.["lineTotal"]) == [1, 2])
    let left = try user.remove(composed)["lines"].elements
    #expect(left.map { Array(($0["sku"].string ?? "").utf8) } == [Array(decomposed.utf8)])
  }

  @Test func aSKUOf64BytesIsTheLongest() throws {
    let stem = Products.freshSKU("é")
    let sku = stem + String(repeating: "x", count: 64 - stem.utf8.count)
    try shop.load([Products.product(sku)])
    let user = shop.newUser()
    try user.add(sku)
    #expect(try user.patch(sku, ["quantity": 4]).line(sku)["quantity"] == 4)
  }

  @Test func aPathIsDecodedOnce() throws {
    let stem = Products.freshSKU("once")
    let skus = [stem + "%41", stem + "A"]
    try shop.load(skus.map { Products.product($0) })
    let user = shop.newUser()
    try user.add(skus.map { (sku: $0, quantity: 1) })
    #expect(try user.send("DELETE", "/v1/cart/lines/\(stem)%2541").skus == [skus[1]])
    #expect(try user.send("DELETE", "/v1/cart/lines/\(stem)%41").skus == [])
  }

  @Test func aURIThatIsTooLong() throws {
    let answer = try shop.newGuest().send("GET", "/v1/cart?x=" + String(repeating: "y", count: 100_000))
    expectProblem(answer, 414, "uri_too_long")
  }
}
