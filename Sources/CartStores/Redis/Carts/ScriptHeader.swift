import CartDomain

/// What every script on a cart is told before the change itself.
struct ScriptHeader {
  var owner: CartOwner
  /// Whether the cart may come into being.
  var mayCreate = false
  var retryKey: RetryKey?
  var condition: VersionCondition?
  /// The catalogue version of the catalogue that the change was reckoned with; `nil` where any will do.
  var catalogueVersion: Int64?
  var requestID = ""

  init(owner: CartOwner) { self.owner = owner }

  init(_ request: ChangeRequest) {
    owner = request.owner
    if case .add = request.change { mayCreate = request.isNewGuest }
    retryKey = request.retryKey
    condition = request.condition
    requestID = request.requestID
  }

  /// The arguments in the order in which the scripts take them.
  func arguments(history: RedisHistory, deadline: Timestamp) -> RedisCommand {
    var arguments = RedisCommand()
    arguments.append(history.number)
    arguments.append(mayCreate ? "1" : "")
    arguments.append(deadline.milliseconds)
    arguments.append(retryKey.map { RetryKey.bytes(of: CollectionOfOne($0)) } ?? [])
    switch condition {
    case .written: arguments.append("*")
    case .oneOf(let versions): arguments.append("," + versions.map { "\($0)," }.joined())
    case nil: arguments.append("")
    }
    arguments.append(catalogueVersion.map { String($0) } ?? "")
    arguments.append(requestID)
    arguments.append(owner.isGuest ? "1" : "")
    return arguments
  }
}
