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

extension CartService {
  /// Carries out a change for the shopper and answers the cart as it is then.
  func change(
    _ call: Call, _ change: CartChange, pointing: RulePointer = .single
  ) throws(Problem) -> HTTPResponse {
    let view = try call.query.view()
    let retryKey = try call.request.retryKey(target: call.target)
    let condition = call.request[.ifMatch].map(EntityTag.condition)
    var result = try carryOut(change, for: call, retryKey: retryKey, condition: condition)
    let outcome = result.reading.outcome
    switch outcome {
    case .changed, .unchanged, .replayed: break
    default: throw try refusal(outcome, of: change, cart: result.reading.reading.cart, pointing: pointing)
    }
    if !result.isIssued, !result.reading.reading.isCookieDue { result.pass = nil }
    var response = try cartResponse(joined(result.reading.reading.cart), view: view, call: call)
    if outcome == .replayed { response.add("Idempotent-Replayed", "true") }
    issue(result.pass, with: &response, to: call.request)
    return response
  }

  /// What became of a change, and the guest it was carried out for.
  private struct Result {
    var reading: ChangeReading
    var pass: GuestPass?
    /// The pass is new to the shopper.
    var isIssued = false
  }

  private func carryOut(
    _ change: CartChange, for call: Call, retryKey: RetryKey?, condition: VersionCondition?
  ) throws(Problem) -> Result {
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
      let reading = try ask(owner, isNewGuest: false)
      if !reading.reading.isSpent {
        return Result(reading: reading, pass: call.shopper.user == nil ? call.shopper.guest : nil)
      }
    }
    guard case .add = change else { return Result(reading: withoutCart(change, condition: condition)) }
    let pass = try newPass()
    let reading = try ask(.guest(pass.id), isNewGuest: true)
    return Result(reading: reading, pass: pass, isIssued: reading.outcome == .changed)
  }

  /// What a change comes to for somebody who has no cart: nothing that a store would have to know.
  private func withoutCart(_ change: CartChange, condition: VersionCondition?) -> ChangeReading {
    let cart = Cart(owner: nil)
    let outcome: ChangeReading.Outcome
    if let condition, !condition.holds(for: cart.version) {
      outcome = .versionMismatch
    } else if case .lineNotFound = cart.applying(change, at: now(), product: { _ in nil }) {
      outcome = .lineNotFound
    } else {
      outcome = .unchanged
    }
    return ChangeReading(outcome: outcome, reading: CartReading(cart: cart))
  }

  private func newPass() throws(Problem) -> GuestPass {
    do throws(Cryptography.Failure) {
      return try issuer.issue()
    } catch {
      throw Problem(error)
    }
  }

  private func refusal(
    _ outcome: ChangeReading.Outcome, of change: CartChange, cart: Cart, pointing: RulePointer
  ) throws(Problem) -> Problem {
    switch outcome {
    case .keyReused: return Problem(.idempotencyKeyReused)
    case .versionMismatch: return Problem(.versionMismatch, cart: try joined(cart))
    case .lineNotFound:
      var fault = Problem.Fault(code: .lineNotFound)
      if case .edit(let sku, _) = change { fault.sku = sku.text }
      return Problem(fault, cart: try joined(cart))
    case .refused(let violations):
      let faults = violations.map { violation in
        Problem.Fault(
          pointer: pointing.pointer(to: violation).text, code: ErrorCode(violation.code), sku: violation.sku?.text,
          requested: violation.requested, available: violation.available, limit: violation.limit)
      }
      guard var problem = Problem(faults) else { return Problem(.storeUnavailable) }
      if faults.contains(where: \.code.concernsStockOrLimits) { problem.cart = try joined(cart) }
      return problem
    case .changed, .unchanged, .replayed: return Problem(.storeUnavailable)
    }
  }
}
