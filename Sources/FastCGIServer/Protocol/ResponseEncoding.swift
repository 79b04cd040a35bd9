/// RFC 3875 §6.2: the response as CGI writes it, and as records.
extension Response {
  /// The whole answer to request `id`: STDOUT, its end, END_REQUEST.
  func write(to records: inout RecordWriter, id: UInt16) {
    let status = (200...599).contains(status) ? status : 500
    let hasNoBody = status == 204 || status == 304
    var head: [UInt8] = []
    head.reserveCapacity(512)
    head.append(text: "Status: ")
    head.append(text: String(status))
    head.append(text: " ")
    head.append(text: Self.reason(status))
    head.append(text: "\r\n")
    for field in fields where Self.isWritten(field) {
      head.append(text: field.name)
      head.append(text: ": ")
      let start = head.count
      head.append(text: field.value)
      for index in start..<head.count where head[index] < 0x20 || head[index] == 0x7f { head[index] = 0x20 }
      head.append(text: "\r\n")
    }
    if !hasNoBody {
      head.append(text: "Content-Length: ")
      head.append(text: String(body.count))
      head.append(text: "\r\n")
    }
    head.append(text: "\r\n")
    records.stream(.stdout, id, head, hasNoBody || omitsBody ? [] : body)
    records.endRequest(id, .requestComplete)
  }

  /// Bytes of the body that are sent.
  var sentBytes: Int { status == 204 || status == 304 || omitsBody ? 0 : body.count }

  private static func isWritten(_ field: Field) -> Bool {
    let name = field.name.utf8
    if name.isEmpty || !name.allSatisfy(isTokenByte) { return false }
    // Most names are of another length.
    if name.count != 6 && name.count != 14 { return true }
    let lowered = field.name.lowercased()
    return lowered != "status" && lowered != "content-length"
  }

  /// RFC 9110 §5.6.2.
  private static func isTokenByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
    case 0x21, 0x23...0x27, 0x2a, 0x2b, 0x2d, 0x2e, 0x5e, 0x5f, 0x60, 0x7c, 0x7e: true
    default: false
    }
  }

  /// RFC 9110 §15; nginx puts it into the status line as it is.
  private static func reason(_ status: Int) -> String {
    switch status {
    case 200: "OK"
    case 201: "Created"
    case 204: "No Content"
    case 304: "Not Modified"
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 408: "Request Timeout"
    case 409: "Conflict"
    case 412: "Precondition Failed"
    case 413: "Content Too Large"
    case 414: "URI Too Long"
    case 415: "Unsupported Media Type"
    case 422: "Unprocessable Content"
    case 429: "Too Many Requests"
    case 431: "Request Header Fields Too Large"
    case 500: "Internal Server Error"
    case 502: "Bad Gateway"
    case 503: "Service Unavailable"
    case 504: "Gateway Timeout"
    default: "Status"
    }
  }
}

extension [UInt8] {
  /// Appends the UTF-8 of `text` in one piece.
  fileprivate mutating func append(text: String) {
    var text = text
    text.withUTF8 { unsafe append(contentsOf: $0) }
  }
}
