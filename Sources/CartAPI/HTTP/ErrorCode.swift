import CartDomain

/// The codes of the API's errors, and the table of what each means. The raw value is what a client reads.
enum ErrorCode: String, CaseIterable, Sendable {
  case malformedJSON = "malformed_json"
  case malformedRequest = "malformed_request"
  case badToken = "bad_token"
  case crossSite = "cross_site"
  case guestCheckoutOff = "guest_checkout_off"
  case notFound = "not_found"
  case lineNotFound = "line_not_found"
  case orderNotFound = "order_not_found"
  case methodNotAllowed = "method_not_allowed"
  case versionMismatch = "version_mismatch"
  case bodyTooLarge = "body_too_large"
  case uriTooLong = "uri_too_long"
  case notJSON = "not_json"
  case invalidField = "invalid_field"
  case unknownField = "unknown_field"
  case unknownSKU = "unknown_sku"
  case notPurchasable = "not_purchasable"
  case outOfStock = "out_of_stock"
  case insufficientStock = "insufficient_stock"
  case purchaseLimit = "purchase_limit"
  case customerLimit = "customer_limit"
  case minimumQuantity = "minimum_quantity"
  case quantityStep = "quantity_step"
  case notOnSaleYet = "not_on_sale_yet"
  case noLongerOnSale = "no_longer_on_sale"
  case currencyMismatch = "currency_mismatch"
  case invalidQuantity = "invalid_quantity"
  case tooManyLines = "too_many_lines"
  case totalTooLarge = "total_too_large"
  case cartEmpty = "cart_empty"
  case cartNotReady = "cart_not_ready"
  case totalChanged = "total_changed"
  case requestInProgress = "request_in_progress"
  case notCancellable = "not_cancellable"
  case nothingToMerge = "nothing_to_merge"
  case extraDataTooLarge = "extra_data_too_large"
  case reservedKey = "reserved_key"
  case idempotencyKeyReused = "idempotency_key_reused"
  case idempotencyKeyMissing = "idempotency_key_missing"
  case rateLimited = "rate_limited"
  case storeUnavailable = "store_unavailable"
  case overloaded
  case deadlineExceeded = "deadline_exceeded"

  /// A broken rule's code is an error code of the same raw value.
  init(_ violation: ViolationCode) {
    guard let code = ErrorCode(rawValue: violation.rawValue) else {
      preconditionFailure("\(violation.rawValue) is not among the error codes")
    }
    self = code
  }

  /// One row of the table.
  private struct Row {
    /// The HTTP status that goes with it.
    let status: Int
    /// Whether a cart that gave cause for the error is shown with it, for the shopper to choose anew.
    let showsCart: Bool
    /// One sentence for a developer, unless something more particular is known.
    let explanation: String

    init(_ status: Int, showsCart: Bool = false, _ explanation: String) {
      self.status = status
      self.showsCart = showsCart
      self.explanation = explanation
    }
  }

  var status: Int { row.status }
  var showsCart: Bool { row.showsCart }
  var explanation: String { row.explanation }

  private var row: Row {
    switch self {
    case .malformedJSON: Row(400, "The body is not one JSON text.")
    case .malformedRequest: Row(400, "The request can't be read.")
    case .badToken: Row(401, "The user can't be told from the request.")
    case .crossSite: Row(403, "A page of another site asked for this change.")
    case .guestCheckoutOff: Row(403, "Guests can't order here. Log in first.")
    case .notFound: Row(404, "Nothing is here.")
    case .lineNotFound: Row(404, showsCart: true, "The cart has no line of this SKU.")
    case .orderNotFound: Row(404, "The shopper has no such order.")
    case .methodNotAllowed: Row(405, "The method does nothing here.")
    case .versionMismatch: Row(412, showsCart: true, "The cart has another version than If-Match names.")
    case .bodyTooLarge: Row(413, "The body is longer than \(CartService.maximumBodyBytes / 1024) KiB.")
    case .uriTooLong: Row(414, "The target is too long.")
    case .notJSON: Row(415, "The body must be application/json in UTF-8.")
    case .invalidField: Row(422, "A field is missing, or its value is of the wrong type or shape.")
    case .unknownField: Row(422, "The request has a field that does not belong there.")
    case .unknownSKU: Row(422, "The catalogue has no such SKU.")
    case .notPurchasable: Row(422, "The product is not sold any more.")
    case .outOfStock: Row(422, showsCart: true, "Nothing of the product is left.")
    case .insufficientStock: Row(422, showsCart: true, "Less of the product is left than was asked for.")
    case .purchaseLimit: Row(422, showsCart: true, "An order may hold fewer of the product.")
    case .customerLimit: Row(422, showsCart: true, "A customer may buy fewer of the product.")
    case .minimumQuantity: Row(422, showsCart: true, "The product is sold in larger quantities only.")
    case .quantityStep: Row(422, showsCart: true, "The product is sold in multiples only.")
    case .notOnSaleYet: Row(422, "The product is not on sale yet.")
    case .noLongerOnSale: Row(422, "The product is no longer on sale.")
    case .currencyMismatch: Row(422, "The cart is in another currency.")
    case .invalidQuantity: Row(422, showsCart: true, "A quantity is a whole number within its range.")
    case .tooManyLines: Row(422, showsCart: true, "There are more lines than allowed.")
    case .totalTooLarge: Row(422, showsCart: true, "The total would be larger than 2^53-1 minor units.")
    case .cartEmpty: Row(409, showsCart: true, "No line is selected.")
    case .cartNotReady: Row(409, showsCart: true, "What is to be ordered can't be sold so; the other errors say why.")
    case .totalChanged: Row(409, showsCart: true, "The total is another one than expectedTotal.")
    case .requestInProgress:
      Row(409, showsCart: true, "A request with this Idempotency-Key is at work. Repeat this one a little later.")
    case .notCancellable: Row(409, showsCart: true, "The shop has begun with the order, or it was placed too long ago.")
    case .nothingToMerge: Row(409, showsCart: true, "The request carries no guest whose cart could be merged.")
    case .extraDataTooLarge: Row(422, "A line may carry 1,024 bytes of extraData as compact JSON.")
    case .reservedKey: Row(422, "The name belongs to the server's own keys of extraData.")
    case .idempotencyKeyReused: Row(422, "The Idempotency-Key was used for another request.")
    case .idempotencyKeyMissing: Row(422, "An order needs an Idempotency-Key.")
    case .rateLimited: Row(429, "Too many lines were changed in a short time.")
    case .storeUnavailable:
      Row(503, "The cart can't be reached now. Repeat the request, with the same Idempotency-Key.")
    case .overloaded: Row(503, "There are more requests than can be answered in time. Repeat this one a little later.")
    case .deadlineExceeded: Row(504, "The request did not come, or could not be answered, in time.")
    }
  }

  /// The phrase of the status (RFC 9110 §15), as RFC 9457 §4.2.1 wants it for `about:blank`.
  var title: String {
    switch status {
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 409: "Conflict"
    case 412: "Precondition Failed"
    case 413: "Content Too Large"
    case 414: "URI Too Long"
    case 415: "Unsupported Media Type"
    case 429: "Too Many Requests"
    case 503: "Service Unavailable"
    case 504: "Gateway Timeout"
    default: "Unprocessable Content"
    }
  }
}
