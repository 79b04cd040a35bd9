/// One line of the table of requests.
struct Route: Sendable {
  /// Every handler has this signature.
  typealias Handler = @Sendable (CartService) -> (Call) throws(Problem) -> HTTPResponse

  /// What a request may carry.
  enum Body: Sendable {
    /// Nothing; one that comes with a read is not looked at, one that comes with a DELETE is refused.
    case none
    /// A JSON text.
    case json
    /// Nothing, or an empty JSON object.
    case optional
  }

  let method: HTTPMethod
  /// The parts of the path; `nil` stands for any one part, which is handed to the handler.
  let pattern: [String?]
  let body: Body
  /// Whether the request speaks for a shopper.
  let isShoppers: Bool
  let handler: Handler

  /// - Parameter path: `/v1/cart/lines/{sku}`.
  init(_ method: HTTPMethod, _ path: String, body: Body = .none, isShoppers: Bool = true, handler: @escaping Handler) {
    self.method = method
    self.pattern = path.split(separator: "/").map { $0.hasPrefix("{") ? nil : String($0) }
    self.body = body
    self.isShoppers = isShoppers
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
