import CartDomain
import TestSupport

/// The model's cart as the API would show it, but for the times, which come from two clocks.
enum ModelCart {
  static func json(_ view: CartView) throws -> JSON {
    let cart = view.cart
    return [
      "version": .int(Int(cart.version)), "owner": "\(cart.owner?.kind ?? "guest")",
      "currency": cart.currency.map { "\($0.code)" } ?? nil,
      "minorUnit": cart.currency.map { .int($0.minorUnit) } ?? nil,
      "lines": .array(try view.lines.map { try line($0) }),
      "merchants": .array(
        view.merchants.map {
          [
            "merchantId": "\($0.merchantID.text)", "selection": "\($0.selection)", "lines": .int($0.lines),
            "selectedTotal": .int(Int($0.selectedTotal)),
          ]
        }),
      "counts": [
        "lines": .int(view.counts.lines), "quantity": .int(view.counts.quantity),
        "selectedLines": .int(view.counts.selectedLines), "selectedQuantity": .int(view.counts.selectedQuantity),
      ],
      "totals": ["all": .int(Int(view.totals.all)), "selected": .int(Int(view.totals.selected))],
      "problems": .array(view.problems.map(violation)),
    ]
  }

  /// A broken rule, as `problems` and `errors` show it, without the pointer.
  static func violation(_ violation: Violation) -> JSON {
    var json: JSON = ["code": "\(violation.code.rawValue)"]
    if let sku = violation.sku { json = json.setting("sku", "\(sku.text)") }
    if let requested = violation.requested { json = json.setting("requested", .int(requested)) }
    if let available = violation.available { json = json.setting("available", .int(available)) }
    if let limit = violation.limit { json = json.setting("limit", .int(limit)) }
    return json
  }

  private static func line(_ view: LineView) throws -> JSON {
    let line = view.line
    let isMarked = view.changedPrice
    var current: JSON = nil
    if let product = view.current {
      current = [
        "unitPrice": .int(Int(product.content.unitPrice.minorUnits)), "purchasable": .bool(view.isPurchasable),
        "availableQuantity": product.stock.map { .int($0) } ?? nil,
      ]
    }
    return [
      "sku": "\(line.sku.text)", "merchantId": "\(line.merchantID.text)", "quantity": .int(line.quantity),
      "selected": .bool(line.isSelected), "lineTotal": .int(Int(view.lineTotal)), "current": current,
      "snapshot": [
        "name": "\(view.snapshot?.content.name ?? "?")", "picture": nil, "unitPrice": .int(Int(line.unitPrice)),
      ],
      "priceChange": isMarked.map {
        ["direction": $0.to > $0.from ? "increase" : "decrease", "from": .int(Int($0.from)), "to": .int(Int($0.to))]
      } ?? nil,
      "extraData": try extraData(view),
    ]
  }

  private static func extraData(_ view: LineView) throws -> JSON {
    var data = try view.line.clientData.map { try JSON($0) } ?? [:]
    guard let product = view.current else { return data }
    if let stock = product.stock {
      let mark = stock == 0 ? "out" : stock < view.line.quantity ? "insufficient" : stock <= 20 ? "low" : "in"
      data = data.setting("stock", "\(mark)")
    }
    if let limit = product.content.purchaseLimit { data = data.setting("purchaseLimit", .int(limit)) }
    if let minimum = product.content.minimumQuantity { data = data.setting("minimumQuantity", .int(minimum)) }
    if let step = product.content.quantityStep { data = data.setting("quantityStep", .int(step)) }
    return data
  }

  /// A cart of the server without its times.
  static func timeless(_ cart: JSON) -> JSON {
    guard case .object(var members) = cart else { return cart }
    members["expiresAt"] = nil
    members["lines"] = .array(
      cart["lines"].elements.map { line in
        var members = line.members
        members["addedAt"] = nil
        return .object(members)
      })
    return .object(members)
  }
}
