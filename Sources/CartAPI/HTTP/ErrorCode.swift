import CartDomain

/// The codes of the API's errors. The raw value is what a client reads.
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

  init(_ violation: ViolationCode) {
    self =
      switch violation {
      case .unknownSKU: .unknownSKU
      case .notPurchasable: .notPurchasable
      case .outOfStock: .outOfStock
      case .insufficientStock: .insufficientStock
      case .purchaseLimit: .purchaseLimit
      case .customerLimit: .customerLimit
      case .minimumQuantity: .minimumQuantity
      case .quantityStep: .quantityStep
      case .notOnSaleYet: .notOnSaleYet
      case .noLongerOnSale: .noLongerOnSale
      case .currencyMismatch: .currencyMismatch
      case .invalidQuantity: .invalidQuantity
      case .tooManyLines: .tooManyLines
      case .totalTooLarge: .totalTooLarge
      case .cartEmpty: .cartEmpty
      }
  }

  /// The HTTP status that goes with the code.
  var status: Int {
    switch self {
    case .malformedJSON, .malformedRequest: 400
    case .badToken: 401
    case .crossSite, .guestCheckoutOff: 403
    case .notFound, .lineNotFound, .orderNotFound: 404
    case .methodNotAllowed: 405
    case .cartEmpty, .cartNotReady, .totalChanged, .requestInProgress, .notCancellable, .nothingToMerge: 409
    case .versionMismatch: 412
    case .bodyTooLarge: 413
    case .uriTooLong: 414
    case .notJSON: 415
    case .rateLimited: 429
    case .storeUnavailable, .overloaded: 503
    case .deadlineExceeded: 504
    default: 422
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

  /// Whether the answer to a broken rule shows the cart as it is: where the shopper must choose another quantity.
  var concernsStockOrLimits: Bool {
    switch self {
    case .outOfStock, .insufficientStock, .purchaseLimit, .customerLimit, .minimumQuantity, .quantityStep,
      .invalidQuantity, .tooManyLines, .totalTooLarge:
      true
    default: false
    }
  }

  /// One sentence for a developer, where nothing more particular is known.
  var explanation: String {
    switch self {
    case .malformedJSON: "The body is not one JSON text."
    case .malformedRequest: "The request can't be read."
    case .badToken: "The user can't be told from the request."
    case .crossSite: "A page of another site asked for this change."
    case .notFound: "Nothing is here."
    case .guestCheckoutOff: "Guests can't order here. Log in first."
    case .orderNotFound: "The shopper has no such order."
    case .lineNotFound: "The cart has no line of this SKU."
    case .methodNotAllowed: "The method does nothing here."
    case .versionMismatch: "The cart has another version than If-Match names."
    case .bodyTooLarge: "The body is longer than 256 KiB."
    case .uriTooLong: "The target is too long."
    case .notJSON: "The body must be application/json in UTF-8."
    case .invalidField: "A field is missing, or its value is of the wrong type or shape."
    case .unknownField: "The request has a field that does not belong there."
    case .unknownSKU: "The catalogue has no such SKU."
    case .notPurchasable: "The product is not sold any more."
    case .outOfStock: "Nothing of the product is left."
    case .insufficientStock: "Less of the product is left than was asked for."
    case .purchaseLimit: "An order may hold fewer of the product."
    case .customerLimit: "A customer may buy fewer of the product."
    case .minimumQuantity: "The product is sold in larger quantities only."
    case .quantityStep: "The product is sold in multiples only."
    case .notOnSaleYet: "The product is not on sale yet."
    case .noLongerOnSale: "The product is no longer on sale."
    case .currencyMismatch: "The cart is in another currency."
    case .invalidQuantity: "A quantity is a whole number within its range."
    case .tooManyLines: "There are more lines than allowed."
    case .totalTooLarge: "The total would be larger than 2^53-1 minor units."
    case .cartEmpty: "No line is selected."
    case .cartNotReady: "What is to be ordered can't be sold so; the other errors say why."
    case .totalChanged: "The total is another one than expectedTotal."
    case .requestInProgress: "A request with this Idempotency-Key is at work. Repeat this one a little later."
    case .notCancellable: "The shop has begun with the order, or it was placed too long ago."
    case .nothingToMerge: "The request carries no guest whose cart could be merged."
    case .extraDataTooLarge: "A line may carry 1,024 bytes of extraData as compact JSON."
    case .reservedKey: "The name belongs to the server's own keys of extraData."
    case .idempotencyKeyMissing: "An order needs an Idempotency-Key."
    case .idempotencyKeyReused: "The Idempotency-Key was used for another request."
    case .rateLimited: "Too many lines were changed in a short time."
    case .deadlineExceeded: "The request did not come, or could not be answered, in time."
    case .overloaded: "There are more requests than can be answered in time. Repeat this one a little later."
    case .storeUnavailable: "The cart can't be reached now. Repeat the request, with the same Idempotency-Key."
    }
  }
}
