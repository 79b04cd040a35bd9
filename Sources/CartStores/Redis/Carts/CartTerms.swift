import CartDomain

/// What every script on a cart is told before the change itself.
struct CartTerms {
  var owner: CartOwner
  /// Whether the cart may come into being.
  var mayCreate = false
  var retryKey: RetryKey?
  var condition: VersionCondition?
  /// The generation of the catalogue that the change was reckoned with; `nil` where any will do.
  var generation: Int64?
  var requestID = ""

  init(owner: CartOwner) { self.owner = owner }

  init(_ request: ChangeRequest) {
    owner = request.owner
    if case .add = request.change { mayCreate = request.isNewGuest }
    retryKey = request.retryKey
    condition = request.condition
    requestID = request.requestID
  }

  /// The words in the order in which the scripts take them.
  func words(history: RedisHistory, deadline: Timestamp) -> RedisCommand {
    var words = RedisCommand()
    words.append(history.lineage)
    words.append(mayCreate ? "1" : "")
    words.append(deadline.milliseconds)
    words.append(retryKey.map { $0.key + $0.request } ?? [])
    switch condition {
    case .written: words.append("*")
    case .oneOf(let versions): words.append("," + versions.map { "\($0)," }.joined())
    case nil: words.append("")
    }
    words.append(generation.map { String($0) } ?? "")
    words.append(requestID)
    words.append(owner.isGuest ? "1" : "")
    return words
  }
}
