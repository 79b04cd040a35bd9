import CartDomain

/// How a broken rule is pointed at in the body that asked for it.
enum RulePointer {
  /// `/sku`, `/quantity`.
  case single
  /// `/lines/0/sku`, `/lines/0/quantity`.
  case list
  case field(BodyPointer)

  func pointer(to violation: Violation) -> BodyPointer {
    let field = violation.code.concernsProduct ? "sku" : "quantity"
    return switch self {
    case .single: .root.member(field)
    case .list: .root.member("lines").element(violation.entry ?? 0).member(field)
    case .field(let pointer): pointer
    }
  }
}

/// What became of a change, and the pass that the shopper must be handed with it.
private struct CarriedOut {
  var outcome: ChangeReading.Outcome
  var cart: Cart
  var pass: GuestPass?
}

extension CartService {
  /// Carries out a change for the shopper and answers the cart as it is then.
  func change(
    _ call: Call, _ change: CartChange, pointing: RulePointer = .single
  ) throws(Problem) -> HTTPResponse {
    let view = try call.query.view()
    let retryKey = try call.request.retryKey(target: call.target)
    let condition = call.request[.ifMatch].map(EntityTag.condition)
    let result = try carryOut(change, for: call, retryKey: retryKey, condition: condition)
    if let problem = try refusal(result, of: change, pointing: pointing) { throw problem }
    var response = try cartResponse(joined(result.cart), view: view, call: call)
    if result.outcome == .replayed { response.add("Idempotent-Replayed", "true") }
    issue(result.pass, with: &response, to: call.request)
    return response
  }

  private func carryOut(
    _ change: CartChange, for call: Call, retryKey: RetryKey?, condition: VersionCondition?
  ) throws(Problem) -> CarriedOut {
    func ask(_ owner: CartOwner, isNewGuest: Bool) throws(Problem) -> ChangeReading {
      do throws(StoreError) {
        return try store.change(
          ChangeRequest(
            owner: owner, change: change, isNewGuest: isNewGuest, condition: condition, retryKey: retryKey,
            requestID: call.request.requestID))
      } catch {
        throw Problem(error)
      }
    }
    if let owner = call.shopper.owner {
      let answer = try ask(owner, isNewGuest: false)
      if !answer.reading.isGone {
        let pass = answer.reading.isCookieDue ? call.shopper.guest : nil
        return CarriedOut(outcome: answer.outcome, cart: answer.reading.cart, pass: pass)
      }
    }
    // Nobody yet, or a guest whose id is spent: only an add makes a cart.
    guard case .add = change else { return withoutCart(change, condition: condition) }
    let pass = try newPass()
    let answer = try ask(.guest(pass.id), isNewGuest: true)
    // An add changes the cart or is refused, and no refusal hands a pass out.
    return CarriedOut(outcome: answer.outcome, cart: answer.reading.cart, pass: pass)
  }

  /// What a change comes to for somebody who has no cart: nothing that a store would have to know.
  private func withoutCart(_ change: CartChange, condition: VersionCondition?) -> CarriedOut {
    let cart = Cart(owner: nil)
    let outcome: ChangeReading.Outcome
    if let condition, !condition.holds(for: cart.version) {
      outcome = .versionMismatch
    } else if case .lineNotFound = cart.applying(change, at: now(), product: { _ in nil }) {
      outcome = .lineNotFound
    } else {
      outcome = .unchanged
    }
    return CarriedOut(outcome: outcome, cart: cart)
  }

  private func newPass() throws(Problem) -> GuestPass {
    do throws(Cryptography.Failure) {
      return try issuer.issue()
    } catch {
      throw Problem(error)
    }
  }

  /// `nil` where the change was not refused.
  private func refusal(
    _ result: CarriedOut, of change: CartChange, pointing: RulePointer
  ) throws(Problem) -> Problem? {
    switch result.outcome {
    case .changed, .unchanged, .replayed: return nil
    case .keyReused: return Problem(.idempotencyKeyReused)
    case .versionMismatch: return Problem(.versionMismatch, cart: try joined(result.cart))
    case .lineNotFound:
      var fault = Problem.Fault(code: .lineNotFound)
      if case .edit(let sku, _) = change { fault.sku = sku.text }
      return Problem(fault, cart: try joined(result.cart))
    case .limited(let seconds):
      var problem = Problem(.rateLimited)
      problem.retryAfter = seconds
      return problem
    case .refused(let violations):
      let faults = violations.map { violation in
        Problem.Fault(
          pointer: pointing.pointer(to: violation).text, code: ErrorCode(violation.code), sku: violation.sku?.text,
          requested: violation.requested, available: violation.available, limit: violation.limit)
      }
      guard var problem = Problem(faults) else {
        return Problem(StoreError(.corrupt, "a change was refused without a reason"))
      }
      if faults.contains(where: \.code.showsCart) { problem.cart = try joined(result.cart) }
      return problem
    }
  }
}
