import CartAPI
import CartDomain
import TestSupport
import Testing

/// The example cart of the contract, byte for byte.
@Suite struct Example {
  @Test func theExampleOfTheContract() throws {
    let shop = try Shop()
    try shop.sell("85123A", price: 255, stock: 12, merchant: "m7") { content in
      content.name = "White hanging heart"
      content.picture = "/p/85123A.jpg"
      content.purchaseLimit = 5
    }
    let first = shop.send("POST", "/v1/cart/lines", #"{"sku":"85123A","extraData":{"gift":true}}"#)
    let guest = try #require(first["Guest-Cart-Id"])
    for number in 0..<40 {
      shop.send(
        "PATCH", "/v1/cart/lines/85123A", #"{"selected":\#(!number.isMultiple(of: 2))}"#,
        headers: [.guestCartID: guest])
    }
    shop.send("PATCH", "/v1/cart/lines/85123A", #"{"quantity":2}"#, headers: [.guestCartID: guest])
    try shop.sell("85123A", price: 299, stock: 12, merchant: "m7") { content in
      content.name = "White hanging heart, new"
      content.purchaseLimit = 5
    }
    let answer = shop.send("GET", "/v1/cart", headers: [.guestCartID: guest])
    #expect(
      answer.text == """
        {"version":42,"owner":"guest","currency":"GBP","minorUnit":2,"expiresAt":"2026-12-22T10:00:00Z",\
        "lines":[{"sku":"85123A","merchantId":"m7","quantity":2,"selected":true,"addedAt":"2026-11-22T10:00:00Z",\
        "snapshot":{"name":"White hanging heart","picture":"/p/85123A.jpg","unitPrice":255},\
        "current":{"unitPrice":299,"purchasable":true,"availableQuantity":12},\
        "priceChange":{"direction":"increase","from":255,"to":299},\
        "extraData":{"stock":"low","purchaseLimit":5,"gift":true},\
        "lineTotal":598}],\
        "merchants":[{"merchantId":"m7","selection":"all","lines":1,"selectedTotal":598}],\
        "counts":{"lines":1,"quantity":2,"selectedLines":1,"selectedQuantity":2},\
        "totals":{"all":598,"selected":598},\
        "problems":[]}
        """)
  }
}
