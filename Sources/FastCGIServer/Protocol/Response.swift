/// The answer to one request, written in the form of RFC 3875 §6: a `Status` field, fields, an empty line, the body.
package struct Response: Sendable {
  /// One field. Control bytes in a value are written as spaces; a field whose name is not a token is left out.
  package struct Field: Sendable, Equatable {
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }

  /// 200 to 599; anything else is written as 500.
  package var status: Int

  /// In the order in which they are written. `Status` and `Content-Length` among them are left out: this
  /// type writes both itself.
  package var fields: [Field]

  package var body: [UInt8]

  /// For HEAD: `Content-Length` tells the length of `body`, which is not sent.
  package var omitsBody: Bool

  /// Which of `Worker.Configuration.routes` answered, counted from 1; 0 for none of them.
  package var route = 0

  /// The kind of client, for the access log: a word that identifies no person.
  package var caller = "none"

  package init(status: Int, fields: [Field] = [], body: [UInt8] = [], omitsBody: Bool = false) {
    self.status = status
    self.fields = fields
    self.body = body
    self.omitsBody = omitsBody
  }

  /// A response of plain text.
  package init(status: Int, text: String) {
    self.init(status: status, fields: [Field("Content-Type", "text/plain; charset=utf-8")], body: Array(text.utf8))
  }
}
