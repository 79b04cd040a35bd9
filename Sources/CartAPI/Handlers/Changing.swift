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
private struct ChangeResult {
  var outcome: ChangeReading.Outcome
  var cart: Cart
  var pass: GuestPass?
}

extension CartService {
  /// Runs a change for the shopper and answers the cart as it is then.
  func change(
    _ call: Call, _ change: CartChange, pointing: RulePointer = .single
  ) throws(Problem) -> HTTPResponse {
    let view = try call.query.view()
    let retryKey = try call.request.retryKey(target: call.target)
    let condition = call.request[.ifMatch].map(EntityTag.condition)
    let result = try run(change, for: call, retryKey: retryKey, condition: condition)
    if let problem = Self.problem(result.outcome, of: change, pointing: pointing) {
      throw try refusal(problem, of: result.cart)
    }
    var response = try cartResponse(self.view(of: result.cart), view: view, call: call)
    if result.outcome == .replayed { response.add("Idempotent-Replayed", "true") }
    issue(result.pass, with: &response, to: call.request)
    return response
  }

  private func run(
    _ change: CartChange, for call: Call, retryKey: RetryKey?, condition: VersionCondition?
  ) throws(Problem) -> ChangeResult {
    func run(for owner: CartOwner, isNewGuest: Bool) throws(Problem) -> ChangeReading {
      let request = ChangeRequest(
        owner: owner, change: change, isNewGuest: isNewGuest, condition: condition, retryKey: retryKey,
        requestID: call.request.requestID)
      return try stored(store.change(request))
    }
    if let owner = call.shopper.owner {
      let answer = try run(for: owner, isNewGuest: false)
      if !answer.reading.isGone {
        return ChangeResult(
          outcome: answer.outcome, cart: answer.reading.cart, pass: call.duePass(answer.reading))
      }
    }
    // No shopper yet, or a guest whose id is gone: only an add makes a cart.
    guard case .add = change else { return withoutCart(change, condition: condition) }
    let pass = try newPass()
    let answer = try run(for: .guest(pass.id), isNewGuest: true)
    // An add changes the cart or is refused, and no refusal issues a pass.
    return ChangeResult(outcome: answer.outcome, cart: answer.reading.cart, pass: pass)
  }

  /// The result of a change for a shopper without a cart: no store needs to be asked.
  private func withoutCart(_ change: CartChange, condition: VersionCondition?) -> ChangeResult {
    let cart = Cart(owner: nil)
    let outcome: ChangeReading.Outcome
    if let condition, !condition.holds(for: cart.version) {
      outcome = .versionMismatch
    } else if case .lineNotFound = cart.applying(change, at: now(), product: { _ in nil }) {
      outcome = .lineNotFound
    } else {
      outcome = .unchanged
    }
    return ChangeResult(outcome: outcome, cart: cart)
  }

  private func newPass() throws(Problem) -> GuestPass {
    do throws(Cryptography.Failure) {
      return try issuer.issue()
    } catch {
      throw Problem(error)
    }
  }

  /// `nil` if the change was not refused.
  private static func problem(
    _ outcome: ChangeReading.Outcome, of change: CartChange, pointing: RulePointer
  ) -> Problem? {
    switch outcome {
    case .changed, .unchanged, .replayed: return nil
    case .keyReused: return Problem(.idempotencyKeyReused)
    case .versionMismatch: return Problem(.versionMismatch)
    case .lineNotFound:
      var fault = Problem.Fault(code: .lineNotFound)
      if case .edit(let sku, _) = change { fault.sku = sku.text }
      return Problem(fault)
    case .limited(let seconds):
      var problem = Problem(.rateLimited)
      problem.retryAfter = seconds
      return problem
    case .refused(let violations):
      return Problem(violations.map { Problem.Fault($0, at: pointing.pointer(to: $0)) })
        ?? Problem(StoreError(.corrupt, "a change was refused without a reason"))
    }
  }
}
