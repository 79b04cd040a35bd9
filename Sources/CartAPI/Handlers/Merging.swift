import CartDomain
import CartJSON

extension CartService {
  /// Merges the cart of a guest that a user brings along, before the request itself. A login never fails because of it.
  ///
  /// - Returns: `nil` where there is none to merge, or where carts can't be changed at all: the request will tell.
  ///
  /// - Parameter note: for the log.
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
    case .versionMismatch: throw Problem(.versionMismatch, cart: try joined(cart(of: call.shopper)))
    case .replayed:
      var response = try cartResponse(joined(cart(of: call.shopper)), view: view, call: call)
      response.add("Idempotent-Replayed", "true")
      // The answer that cleared the cookie may be the one that was lost.
      if try isGone(call.shopper.guest) { response.add("Set-Cookie", GuestCookie.clearing) }
      return response
    default: break
    }
    guard let user = call.shopper.user, let guest = call.shopper.guest else {
      throw Problem(.nothingToMerge, cart: try joined(cart(of: call.shopper)))
    }
    let merge: MergeReading
    do throws(StoreError) {
      merge = try store.merge(
        guest.id, into: user, by: strategy, retryKey: retryKey, requestID: call.request.requestID)
    } catch {
      throw Problem(error)
    }
    switch merge {
    case .pending: throw Problem(StoreError(.unavailable, "a merge can't be recorded"))
    case .nothing:
      var problem = Problem(.nothingToMerge, cart: try joined(cart(of: call.shopper)))
      problem.merge = merge
      throw problem
    case .merged:
      var response = try cartResponse(joined(cart(of: call.shopper)), view: view, call: call, merge: merge)
      response.add("Set-Cookie", GuestCookie.clearing)
      return response
    }
  }

  private func precheck(_ call: Call, retryKey: RetryKey?) throws(Problem) -> ChangeReading? {
    guard let owner = call.shopper.owner else { return nil }
    do throws(StoreError) {
      return try store.precheck(
        owner, retryKey: retryKey, condition: call.request[.ifMatch].map(EntityTag.condition))
    } catch {
      throw Problem(error)
    }
  }

  private func isGone(_ guest: GuestPass?) throws(Problem) -> Bool {
    guard let guest else { return false }
    do throws(StoreError) {
      return try store.cart(of: .guest(guest.id)).isGone
    } catch {
      throw Problem(error)
    }
  }

  private func cart(of shopper: Shopper) throws(Problem) -> Cart {
    guard let owner = shopper.owner else { return Cart(owner: nil) }
    do throws(StoreError) {
      return try store.cart(of: owner).cart
    } catch {
      throw Problem(error)
    }
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
