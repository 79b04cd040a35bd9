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
  /// The cart as it is, if the shopper should see it.
  var cart: CartView?
  /// The methods of the path, for 405.
  var allowed: String?
  /// Seconds after which a client may try again, for 429, 503 and what is in progress.
  var retryAfter = 1
  /// For the log, never sent.
  var note: String?

  var code: ErrorCode { faults[0].code }

  init(_ fault: Fault, _ detail: String? = nil) {
    self.faults = [fault]
    self.detail = detail ?? fault.code.explanation
  }

  /// - Parameter causes: faults that say why.
  init(_ code: ErrorCode, _ detail: String? = nil, causes: [Fault] = []) {
    self.init(Fault(code: code), detail)
    faults += causes
  }

  /// Several faults at once; `nil` if there is none.
  init?(_ faults: [Fault]) {
    guard let first = faults.first else { return nil }
    self.init(first)
    self.faults = faults
  }

  init(_: Cryptography.Failure) {
    self.init(.storeUnavailable)
    note = "libcrypto failed"
  }

  init(_ error: JSONError) {
    self.init(.malformedJSON, "The body is not one JSON text: \(error).")
  }

  init(_ error: StoreError) {
    self.init(error.code == .overloaded ? .overloaded : .storeUnavailable)
    if error.code != .overloaded { note = error.description }
  }
}

/// What a store answers; the one place where its error becomes a problem.
func stored<Answer>(_ answer: @autoclosure () throws(StoreError) -> Answer) throws(Problem) -> Answer {
  do throws(StoreError) {
    return try answer()
  } catch {
    throw Problem(error)
  }
}

extension Problem.Fault {
  /// A broken rule.
  ///
  /// - Parameter pointer: the place in the body that broke it; the whole body if there is none.
  init(_ violation: Violation, at pointer: BodyPointer = .root) {
    self.init(
      pointer: pointer.text, code: ErrorCode(violation.code), sku: violation.sku?.text,
      requested: violation.requested, available: violation.available, limit: violation.limit)
  }
}

extension Problem {
  /// - Parameter lowStock: as in ``APIConfiguration``, for an embedded cart.
  func response(requestID: String, lowStock: Int) -> HTTPResponse {
    var response = HTTPResponse(
      status: code.status, body: body(requestID: requestID, lowStock: lowStock), type: "application/problem+json")
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
    writer.object {
      $0.field("type", "about:blank")
      $0.field("title", code.title)
      $0.field("status", code.status)
      $0.field("code", code.rawValue)
      $0.field("detail", detail)
      $0.field("requestId", requestID)
      $0.array("errors") {
        for fault in faults { fault.write(to: &$0) }
      }
      if let cart {
        $0.key("cart")
        $0.cart(cart, lowStock: lowStock, merge: merge)
      }
    }
    return writer.bytes
  }
}

extension Problem.Fault {
  fileprivate func write(to writer: inout JSONWriter) {
    writer.object {
      $0.field("pointer", pointer)
      $0.field("code", code.rawValue)
      if let sku { $0.field("sku", sku) }
      $0.quantities(requested: requested, available: available, limit: limit)
    }
  }
}

extension JSONWriter {
  /// The numbers of a broken rule, those that are known.
  mutating func quantities(requested: Int?, available: Int?, limit: Int?) {
    if let requested { field("requested", requested) }
    if let available { field("available", available) }
    if let limit { field("limit", limit) }
  }
}
