internal import CDocuments
import CartDomain

/// The files that a developer of a shop's pages needs, built into the server so that they are of its own version. No
/// store is asked for them, and no shopper.
extension CartService {
  /// `GET /v1/openapi.json`: this API, described.
  func readDescription(_ call: Call) throws(Problem) -> HTTPResponse {
    let document = Self.description(under: configuration.basePath)
    return documentResponse(document, "application/json", to: call)
  }

  /// `GET /v1/cart.js`: the client, an ES module.
  func readClient(_ call: Call) throws(Problem) -> HTTPResponse {
    documentResponse(unsafe Self.bytes(of: cdocuments_client), "text/javascript; charset=utf-8", to: call)
  }

  /// A client asks at each use whether its copy is still the current one, so that a new server soon has no old clients.
  private func documentResponse(_ document: [UInt8], _ type: String, to call: Call) -> HTTPResponse {
    let tag = EntityTag(body: document)
    let isKnown = call.request[.ifNoneMatch].map(tag.matches(ifNoneMatch:)) ?? false
    var response = isKnown ? HTTPResponse(status: 304) : HTTPResponse(body: document, type: type)
    response.add("ETag", tag.headerValue)
    response.add("Cache-Control", "public, no-cache")
    return response
  }

  /// The description says where the API lies: at the root, or under the shop's base path.
  private static func description(under basePath: [String]) -> [UInt8] {
    var document = unsafe bytes(of: cdocuments_openapi)
    if basePath.isEmpty { return document }
    let root = Array(#""url": "/"#.utf8)
    let path = basePath.map(PercentEncoding.encode).joined(separator: "/")
    guard let start = document.indices.first(where: { document[$0...].starts(with: root) }) else { return document }
    document.insert(contentsOf: path.utf8, at: start + root.count)
    return document
  }

  private static func bytes(of document: cdocument) -> [UInt8] {
    unsafe Array(UnsafeBufferPointer(start: document.bytes, count: document.count))
  }
}
