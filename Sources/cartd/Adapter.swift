import CartAPI
import FastCGIServer

/// Between the pool, which knows nothing of HTTP's meaning, and the API, which knows nothing of FastCGI.
extension HTTPRequest {
  init(_ request: Request) {
    self.init(
      // A browser may send its cookies in several fields, and nginx passes each of them on.
      metaVariable: { $0 == "HTTP_COOKIE" ? request.bytes($0, joinedBy: "; ") : request.bytes($0) },
      body: request.body, isBodyTooLarge: request.isBodyTooLarge)
  }
}

extension Response {
  init(_ response: HTTPResponse) {
    self.init(
      status: response.status, fields: response.fields.map { Field($0.name, $0.value) }, body: response.body,
      omitsBody: response.isHead)
    route = Self.routes[response.route] ?? 0
    caller = response.shopper.rawValue
  }

  private static let routes = Dictionary(
    CartService.routes.enumerated().map { ($0.element, $0.offset + 1) }, uniquingKeysWith: { first, _ in first })
}

extension HTTPResponse {
  static func cause(of refusal: Refusal) -> CartService.Unreadable {
    switch refusal {
    case .malformedParameters, .tooManyParameters, .bodyLengthMismatch: .malformed
    case .readTimeout: .late
    case .overloaded: .overloaded
    }
  }
}
