import CartDomain
import CartJSON

extension CartService {
  /// Merges the cart that a user had as a guest, before the request itself. A login never fails because of it.
  ///
  /// - Parameter note: for the log.
  /// - Returns: `nil` if there is none to merge, or if carts can't be changed at all: then the request itself fails.
  func merge(_ shopper: Shopper, _ call: Call, note: inout String?) -> MergeReading? {
    guard let user = shopper.user, let guest = shopper.guest else { return nil }
    do throws(StoreError) {
      return try store.merge(
        guest.id, into: user, by: configuration.mergeStrategy, retryKey: nil, requestID: call.request.requestID)
    } catch {
      note = "a guest's cart is not merged: \(error)"
      return nil
    }
  }

  /// `POST /v1/cart/merge`: merges now, by a strategy of the request's own.
  func mergeCart(_ call: Call) throws(Problem) -> HTTPResponse {
    let view = try call.query.view()
    let strategy = try MergeBody(call).strategy ?? configuration.mergeStrategy
    let retryKey = try call.request.retryKey(target: call.target)
    let check = try precheck(call, retryKey: retryKey)
    switch check?.outcome {
    case .keyReused: throw Problem(.idempotencyKeyReused)
    case .versionMismatch: throw try refusal(Problem(.versionMismatch), to: call)
    case .replayed:
      var response = try mergeResponse(view, call)
      response.add("Idempotent-Replayed", "true")
      // The answer that cleared the cookie may be the one that was lost.
      if let guest = call.shopper.guest, try cart(of: .guest(guest.id)).isGone {
        response.add("Set-Cookie", GuestCookie.clearing)
      }
      return response
    default: break
    }
    guard let user = call.shopper.user, let guest = call.shopper.guest else {
      throw try refusal(Problem(.nothingToMerge), to: call)
    }
    let merge = try stored(
      store.merge(guest.id, into: user, by: strategy, retryKey: retryKey, requestID: call.request.requestID))
    switch merge {
    case .pending: throw Problem(StoreError(.unavailable, "a merge can't be recorded"))
    case .nothing:
      var problem = Problem(.nothingToMerge)
      problem.merge = merge
      throw try refusal(problem, to: call)
    case .merged:
      var response = try mergeResponse(view, call, merge)
      response.add("Set-Cookie", GuestCookie.clearing)
      return response
    }
  }

  private func mergeResponse(
    _ view: Query.View, _ call: Call, _ merge: MergeReading? = nil
  ) throws(Problem) -> HTTPResponse {
    let cart = try cart(of: call.shopper.owner).cart
    return try cartResponse(self.view(of: cart), view: view, call: call, merge: merge)
  }

  private func precheck(_ call: Call, retryKey: RetryKey?) throws(Problem) -> ChangeReading? {
    guard let owner = call.shopper.owner else { return nil }
    let condition = call.request[.ifMatch].map(EntityTag.condition)
    return try stored(store.precheck(owner, retryKey: retryKey, condition: condition))
  }
}

/// The body of `POST /v1/cart/merge`: `{}`, or a strategy.
private struct MergeBody {
  private(set) var strategy: MergeStrategy?

  /// - Throws: everything that is wrong with the fields.
  init(_ call: Call) throws(Problem) {
    let document = try call.document()
    var faults = BodyFaults()
    if document.root.kind != .object { faults.add(.invalidField, at: .root) }
    document.root.forEachMember { name, value in
      let pointer = BodyPointer.root.member(name)
      guard name == "strategy" else { return faults.add(.unknownField, at: pointer) }
      strategy = value.string.flatMap(MergeStrategy.init)
      if strategy == nil { faults.add(.invalidField, at: pointer) }
    }
    try faults.check()
  }
}
