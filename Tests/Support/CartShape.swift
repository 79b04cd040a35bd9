package import Testing

/// What holds for every cart that the server ever shows, whatever led to it.
package enum CartShape {
  package static let keys: Set<String> = [
    "version", "owner", "currency", "minorUnit", "expiresAt", "lines", "merchants", "counts", "totals", "problems",
  ]
  static let lineKeys: Set<String> = [
    "sku", "merchantId", "quantity", "selected", "addedAt", "snapshot", "current", "priceChange", "extraData",
    "lineTotal",
  ]

  package static func check(_ cart: JSON, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(cart.keys.subtracting(["merge"]) == keys, sourceLocation: sourceLocation)
    let lines = cart["lines"].elements
    for line in lines { checkLine(line, sourceLocation) }
    if lines.isEmpty {
      for key in ["currency", "minorUnit", "expiresAt"] where key != "expiresAt" || cart["version"] == 0 {
        #expect(cart[key] == .null, "\(key) of an empty cart", sourceLocation: sourceLocation)
      }
    }
    let selected = lines.filter { $0["selected"] == true }
    let payable = selected.filter { $0["current"]["purchasable"] == true }
    let counts: JSON = [
      "lines": .int(lines.count), "quantity": .int(sum(lines, "quantity")), "selectedLines": .int(selected.count),
      "selectedQuantity": .int(sum(selected, "quantity")),
    ]
    #expect(cart["counts"] == counts, sourceLocation: sourceLocation)
    let totals: JSON = ["all": .int(sum(lines, "lineTotal")), "selected": .int(sum(payable, "lineTotal"))]
    #expect(cart["totals"] == totals, sourceLocation: sourceLocation)
    checkMerchants(cart, sourceLocation)
    let problemSKUs = Set(cart["problems"].elements.compactMap(\.["sku"].string))
    #expect(problemSKUs.isSubset(of: Set(selected.compactMap(\.["sku"].string))), sourceLocation: sourceLocation)
  }

  private static func checkLine(_ line: JSON, _ sourceLocation: SourceLocation) {
    #expect(line.keys == lineKeys, sourceLocation: sourceLocation)
    #expect((1...1_000_000).contains(line["quantity"].int ?? 0), sourceLocation: sourceLocation)
    #expect(line["snapshot"].keys == ["name", "picture", "unitPrice"], sourceLocation: sourceLocation)
    #expect(line["addedAt"].string?.isTimestamp == true, sourceLocation: sourceLocation)
    #expect(line["selected"].bool != nil, sourceLocation: sourceLocation)
    let current = line["current"]
    if current != .null {
      #expect(current.keys == ["unitPrice", "purchasable", "availableQuantity"], sourceLocation: sourceLocation)
    }
    let seen = line["snapshot"]["unitPrice"].int ?? -1
    let price = current["unitPrice"].int ?? seen
    #expect(line["lineTotal"] == .int((line["quantity"].int ?? 0) * price), sourceLocation: sourceLocation)
    let mark: JSON =
      price == seen
      ? nil
      : ["direction": price > seen ? "increase" : "decrease", "from": .int(seen), "to": .int(price)]
    #expect(line["priceChange"] == mark, sourceLocation: sourceLocation)
  }

  private static func checkMerchants(_ cart: JSON, _ sourceLocation: SourceLocation) {
    var order: [String] = []
    for merchant in cart["lines"].elements.compactMap(\.["merchantId"].string) where !order.contains(merchant) {
      order.append(merchant)
    }
    let merchants = cart["merchants"].elements
    #expect(merchants.compactMap(\.["merchantId"].string) == order, sourceLocation: sourceLocation)
    for merchant in merchants {
      let lines = cart["lines"].elements.filter { $0["merchantId"] == merchant["merchantId"] }
      let selected = lines.filter { $0["selected"] == true }
      let payable = selected.filter { $0["current"]["purchasable"] == true }
      #expect(merchant["lines"] == .int(lines.count), sourceLocation: sourceLocation)
      #expect(merchant["selectedTotal"] == .int(sum(payable, "lineTotal")), sourceLocation: sourceLocation)
      #expect((merchant["selection"] == "all") == (selected.count == lines.count), sourceLocation: sourceLocation)
    }
  }

  private static func sum(_ lines: [JSON], _ key: String) -> Int { lines.reduce(0) { $0 + ($1[key].int ?? 0) } }
}

extension String {
  /// UTC, whole seconds, `Z`.
  package var isTimestamp: Bool { wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/) != nil }
}
