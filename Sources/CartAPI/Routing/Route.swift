import CartDomain
import CartJSON

/// One line of the table of requests.
struct Route: Sendable {
  /// Every handler has this signature.
  typealias Handler = @Sendable (CartService) -> (Call) throws(Problem) -> HTTPResponse

  /// `PATCH /v1/cart/lines/{sku}`
  let name: String
  let method: HTTPMethod
  /// The parts of the path; `nil` matches any one part, which the handler gets.
  let pattern: [String?]
  /// Whether the handler reads a JSON text. Otherwise one that comes with a read is not looked at, and one that comes
  /// with a DELETE is refused.
  let takesBody: Bool
  /// Whether the request is a shopper's.
  let isShoppers: Bool
  /// Whether the cart that a user had as a guest is merged first.
  let mergesFirst: Bool
  let handler: Handler

  /// - Parameter path: `/v1/cart/lines/{sku}`.
  init(
    _ method: HTTPMethod, _ path: String, takesBody: Bool = false, isShoppers: Bool = true, mergesFirst: Bool = true,
    handler: @escaping Handler
  ) {
    self.name = "\(method.rawValue) \(path)"
    self.method = method
    self.pattern = path.split(separator: "/").map { $0.hasPrefix("{") ? nil : String($0) }
    self.takesBody = takesBody
    self.isShoppers = isShoppers
    self.mergesFirst = mergesFirst && isShoppers
    self.handler = handler
  }

  func matches(_ parts: ArraySlice<String>) -> Bool {
    parts.count == pattern.count && zip(parts, pattern).allSatisfy { part, wanted in wanted == nil || part == wanted }
  }

  /// The part of the path that the pattern leaves open.
  func argument(in parts: ArraySlice<String>) -> String? {
    zip(parts, pattern).first { _, wanted in wanted == nil }?.0
  }
}

/// The methods that the API knows; names are case-sensitive (RFC 9110 §9.1).
enum HTTPMethod: String, CaseIterable, Sendable {
  case get = "GET"
  case head = "HEAD"
  case post = "POST"
  case put = "PUT"
  case patch = "PATCH"
  case delete = "DELETE"
  case options = "OPTIONS"

  /// Whether it may have an effect.
  var isSafe: Bool {
    switch self {
    case .get, .head, .options: true
    case .post, .put, .patch, .delete: false
    }
  }
}

/// A request on its way to its handler: routed, and checked as far as that needs no body.
struct Call {
  let request: HTTPRequest
  let target: RequestTarget
  /// The part of the path that the route leaves open, decoded.
  let argument: String?
  let shopper: Shopper
  /// What has become of the guest's cart that a user brought along, before the request itself; `nil` for none.
  var merge: MergeReading?
  let query: Query

  /// The guest's pass, if it is due for its daily renewal.
  func duePass(_ reading: CartReading) -> GuestPass? { reading.isCookieDue ? shopper.guest : nil }

  /// The body as JSON.
  ///
  /// - Throws: `malformed_json`.
  func document() throws(Problem) -> JSONDocument {
    do throws(JSONError) {
      return try JSONDocument(parsing: request.body.span, maximumBytes: CartService.maximumBodyBytes)
    } catch {
      throw Problem(error)
    }
  }

  /// The SKU that the path names.
  ///
  /// - Throws: `invalid_field` for what can't be one.
  func sku() throws(Problem) -> SKU {
    guard let argument, let sku = SKU(argument) else {
      throw Problem(.invalidField, "The path names what can't be a SKU.")
    }
    return sku
  }
}
