package import CartAPI
package import CartDomain
import Testing

/// A shop in memory: a service, its catalogue, its carts and its clock.
package final class Shop {
  /// 2026-11-22T10:00:00Z.
  package static let opening = Timestamp(seconds: 1_795_341_600)

  package final class Clock {
    package var now = Shop.opening

    package func advance(days: Int64 = 0, milliseconds: Int64 = 0) {
      now = now.adding(milliseconds: days * 86_400_000 + milliseconds)
    }
  }

  package let clock = Clock()
  package let catalogue = CountingCatalogue()
  package let store: CountingStore
  package let service: CartService

  package init(_ configuration: APIConfiguration? = nil) throws {
    let clock = clock
    store = CountingStore(InMemoryCartStore(catalogue: catalogue.inner) { clock.now })
    service = try CartService(
      store: store, catalogue: catalogue, configuration: configuration ?? Self.configuration()
    ) { clock.now }
  }

  package static let secret = [UInt8](repeating: 0x5A, count: 32)

  package static func configuration(
    basePath: String = "", origins: String = "", secret: [UInt8] = secret, oldSecret: [UInt8]? = nil,
    cookieSecurity: APIConfiguration.CookieSecurity = .auto
  ) throws -> APIConfiguration {
    try APIConfiguration(
      basePath: basePath, origins: origins, guestSecret: secret, oldGuestSecret: oldSecret,
      cookieSecurity: cookieSecurity)
  }

  // MARK: The catalogue

  private var revisions = 0
  private var sold: [SKU: (content: ProductRevision.Content, stock: Int?)] = [:]

  /// Sells a product from now on.
  package func sell(
    _ sku: String, price: Int64 = 100, stock: Int? = nil, currency: String = "GBP", merchant: String = "main",
    _ change: (inout ProductRevision.Content) -> Void = { _ in }
  ) throws {
    var content = ProductRevision.Content(
      sku: try #require(SKU(sku)), merchantID: try #require(MerchantID(merchant)), name: "Name of \(sku)",
      unitPrice: Money(minorUnits: price, currency: try #require(Currency(currency))))
    change(&content)
    try put(content, stock: stock)
  }

  private func put(_ content: ProductRevision.Content, stock: Int?) throws {
    revisions += 1
    let number = String(revisions)
    let id = try #require(RevisionID("rev" + String(repeating: "0", count: 8 - number.count) + number))
    sold[content.sku] = (content, stock)
    catalogue.inner.put(content, revision: id, stock: stock)
  }

  // MARK: Requests

  package typealias Headers = [HTTPRequest.Header: String]

  @discardableResult
  package func send(
    _ method: String, _ target: String, _ body: String? = nil, user: String? = nil, headers: Headers = [:],
    scheme: String = "http"
  ) -> Answer {
    var headers = headers
    if body != nil, headers[.contentType] == nil { headers[.contentType] = "application/json" }
    return Answer(
      service.respond(
        to: HTTPRequest(
          method: method, target: Array(target.utf8), scheme: scheme, host: host,
          cartUser: Array((user ?? "").utf8), requestID: "r-1", headers: headers, body: Array((body ?? "").utf8))))
  }
}

extension Shop: ShopUnderTest, Transport {
  package var host: String { "shop.example" }

  package func connect() -> any Transport { self }

  /// Hands a request to the service by the variables that nginx would make of it.
  package func send(_ request: Request) throws -> Answer {
    let isTooLarge = (request.body?.count ?? 0) > CartService.maximumBodyBytes
    var variables: [String: [UInt8]] = [
      "REQUEST_METHOD": Array(request.method.utf8), "REQUEST_URI": request.target, "REQUEST_SCHEME": Array("http".utf8),
      "REQUEST_ID": Array(uniqueText().utf8), "CART_USER": request.user ?? [],
    ]
    for header in [(name: "Host", value: host)] + request.headers {
      let name = header.name.uppercased().replacing("-", with: "_")
      variables[name == "CONTENT_TYPE" ? name : "HTTP_" + name] = Array(header.value.utf8)
    }
    return Answer(
      service.respond(
        to: HTTPRequest(
          metaVariable: { name in variables[name].map { $0[...] } }, body: isTooLarge ? [] : request.body ?? [],
          isBodyTooLarge: isTooLarge)))
  }

  package func load(_ products: [JSON]) throws {
    for product in products {
      let sku = try #require(SKU(product["sku"].string ?? ""))
      let unpriced = Money(minorUnits: 0, currency: try Self.currency("GBP"))
      var (content, stock) = sold[sku] ?? (.init(sku: sku, name: "", unitPrice: unpriced), nil)
      var (price, currency) = (content.unitPrice.minorUnits, content.unitPrice.currency)
      for (name, value) in product.members {
        switch name {
        case "sku": break
        case "name": content.name = value.string ?? ""
        case "picture": content.picture = value.string
        case "merchantId": content.merchantID = try #require(MerchantID(value.string ?? ""))
        case "unitPrice": price = Int64(try #require(value.int))
        case "currency": currency = try Self.currency(value.string ?? "")
        case "stock": stock = value.int
        case "active": content.isActive = value.bool == true
        case "purchaseLimit": content.purchaseLimit = value.int
        case "customerLimit": content.customerLimit = value.int
        case "minimumQuantity": content.minimumQuantity = value.int
        case "quantityStep": content.quantityStep = value.int
        case "availableFrom": content.availableFrom = value.string.flatMap { Timestamp(rfc3339: $0) }
        case "availableUntil": content.availableUntil = value.string.flatMap { Timestamp(rfc3339: $0) }
        default: Issue.record("a product has no member \(name)")
        }
      }
      content.unitPrice = Money(minorUnits: price, currency: currency)
      try put(content, stock: stock)
    }
  }

  package func retire(_ sku: String) throws { try load([["sku": .string(sku), "active": false]]) }

  private static func currency(_ code: String) throws -> Currency { try #require(Currency(code)) }
}

extension Answer {
  /// What the server would send: of an answer to HEAD, no body.
  package init(_ response: CartAPI.HTTPResponse) {
    self.init(
      status: response.status, headers: response.fields.map { (name: $0.name, value: $0.value) },
      body: response.isHead ? [] : response.body)
    note = response.note
  }
}
