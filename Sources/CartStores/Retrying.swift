import CartDomain

/// What one attempt has come to.
enum Attempted<Answer> {
  case done(Answer)
  /// Others were faster, or something had to be done first.
  case again
}

/// Attempts something at most so many times. An attempt that is not through after all of them has met others that change
/// the same cart, again and again.
///
/// - Parameters:
///   - subject: what keeps changing, for the message.
///   - code: of the error if no attempt is through.
/// - Throws: what an attempt throws, and ``StoreError`` if none is through.
func retrying<Answer>(
  _ attempts: Int, _ subject: StaticString, _ code: StoreError.Code = .unavailable,
  _ attempt: () throws(StoreError) -> Attempted<Answer>
) throws(StoreError) -> Answer {
  for _ in 0..<attempts {
    if case .done(let answer) = try attempt() { return answer }
  }
  throw StoreError(code, "\(subject) kept changing during every attempt")
}
