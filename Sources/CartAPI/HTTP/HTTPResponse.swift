import CartJSON

/// One HTTP response. The server adds `Content-Length`.
package struct HTTPResponse: Sendable {
  package struct Field: Equatable, Sendable {
    package var name: String
    package var value: String
  }

  package var status: Int
  /// In the order in which they are to be sent.
  package private(set) var fields: [Field] = []
  package var body: [UInt8]
  /// The answer to HEAD: the length of ``body`` is sent, the body is not.
  package var isHead = false
  /// What the log should say of this answer, for the operator alone: never sent, free of bodies, tokens and keys.
  package var note: String?

  /// The one of ``CartService/routes`` that answered; empty if none did.
  package var route = ""
  /// The kind of shopper, which identifies none.
  package var shopper = ShopperKind.none

  package enum ShopperKind: String, Sendable {
    case none, guest, user
  }

  package init(status: Int, body: [UInt8] = []) {
    self.status = status
    self.body = body
    fields.reserveCapacity(8)
  }

  /// - Parameter type: the body's `Content-Type`.
  init(status: Int = 200, body: [UInt8], type: String) {
    self.init(status: status, body: body)
    add("Content-Type", type)
  }

  /// A JSON text.
  static func json(status: Int = 200, _ body: (inout JSONWriter) -> Void) -> HTTPResponse {
    var writer = JSONWriter()
    body(&writer)
    return HTTPResponse(status: status, body: writer.bytes, type: "application/json")
  }

  /// Adds a field behind the others.
  package mutating func add(_ name: String, _ value: String) {
    fields.append(Field(name: name, value: value))
  }

  /// The value of the first field of that name, written exactly like this.
  package subscript(name: String) -> String? { fields.first { $0.name == name }?.value }
}
