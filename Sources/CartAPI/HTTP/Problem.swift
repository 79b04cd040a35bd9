import CartDomain
import CartJSON

/// A request that is refused (RFC 9457): the one place where an error becomes a status.
struct Problem: Error {
  /// One fault.
  struct Fault: Equatable {
    /// Where it lies in the body as sent (RFC 6901); empty for the whole, and for what is no part of the body.
    var pointer = ""
    var code: ErrorCode
    var sku: String?
    /// The quantity that the line would have.
    var requested: Int?
    var available: Int?
    var limit: Int?
  }

  /// At least one; the first gives the answer its code and status.
  private(set) var faults: [Fault]
  var detail: String
  /// What became of a guest's cart before; shown with the cart.
  var merge: MergeReading?
  /// The cart as it is, where the shopper should see it.
  var cart: CartView?
  /// The methods of the path, for 405.
  var allowed: String?
  /// Seconds after which a client may try again, for 429, 503 and what is in progress.
  var retryAfter = 1
  /// For the log, never sent.
  var note: String?

  var code: ErrorCode { faults[0].code }

  init(_ fault: Fault, detail: String? = nil, cart: CartView? = nil) {
    self.faults = [fault]
    self.detail = detail ?? fault.code.explanation
    self.cart = cart
  }

  init(_ code: ErrorCode, _ detail: String? = nil, cart: CartView? = nil) {
    self.init(Fault(code: code), detail: detail, cart: cart)
  }

  /// Several faults at once; `nil` where there is none.
  init?(_ faults: [Fault]) {
    guard let first = faults.first else { return nil }
    self.init(first)
    self.faults = faults
  }

  init(_ error: StoreError) {
    if error.code == .overloaded {
      self.init(.overloaded)
      return
    }
    self.init(.storeUnavailable)
    note = error.description
  }

  init(_: Cryptography.Failure) {
    self.init(.storeUnavailable)
    note = "libcrypto failed"
  }

  init(_ error: JSONError) {
    self.init(.malformedJSON, "The body is not one JSON text: \(error).")
  }
}

extension Problem {
  /// - Parameter lowStock: as in ``APIConfiguration``, for an embedded cart.
  func response(requestID: String, lowStock: Int) -> HTTPResponse {
    var response = HTTPResponse(status: code.status, body: body(requestID: requestID, lowStock: lowStock))
    response.add("Content-Type", "application/problem+json")
    if let allowed { response.add("Allow", allowed) }
    if code == .badToken { response.add("WWW-Authenticate", "Bearer") }
    if [429, 503].contains(code.status) || code == .requestInProgress {
      response.add("Retry-After", String(retryAfter))
    }
    response.note = note
    return response
  }

  private func body(requestID: String, lowStock: Int) -> [UInt8] {
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("type")
    writer.string("about:blank")
    writer.key("title")
    writer.string(code.title)
    writer.key("status")
    writer.integer(code.status)
    writer.key("code")
    writer.string(code.rawValue)
    writer.key("detail")
    writer.string(detail)
    writer.key("requestId")
    writer.string(requestID)
    writer.key("errors")
    writer.beginArray()
    for fault in faults { fault.write(to: &writer) }
    writer.endArray()
    if let cart {
      writer.key("cart")
      writer.cart(cart, lowStock: lowStock, merge: merge)
    }
    writer.endObject()
    return writer.bytes
  }
}

extension Problem.Fault {
  fileprivate func write(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.key("pointer")
    writer.string(pointer)
    writer.key("code")
    writer.string(code.rawValue)
    if let sku {
      writer.key("sku")
      writer.string(sku)
    }
    writer.quantities(requested: requested, available: available, limit: limit)
    writer.endObject()
  }
}

extension JSONWriter {
  /// The numbers of a broken rule, those that are known.
  mutating func quantities(requested: Int?, available: Int?, limit: Int?) {
    if let requested {
      key("requested")
      integer(requested)
    }
    if let available {
      key("available")
      integer(available)
    }
    if let limit {
      key("limit")
      integer(limit)
    }
  }
}
