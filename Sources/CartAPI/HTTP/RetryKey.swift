import CartDomain

extension HTTPRequest {
  /// The `Idempotency-Key` as it was sent.
  ///
  /// - Throws: `invalid_field` for a key that is not 1–255 printable ASCII characters.
  private func idempotencyKey() throws(Problem) -> String? {
    guard let key = self[.idempotencyKey] else { return nil }
    guard key.utf8.count <= 255, key.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
      throw Problem(.invalidField, "The Idempotency-Key must be 1 to 255 printable ASCII characters.")
    }
    return key
  }

  /// The `Idempotency-Key` as an order keeps it, with a hash of the body.
  ///
  /// - Throws: `idempotency_key_missing`; `invalid_field` for one that can't be a key.
  func orderKey() throws(Problem) -> OrderKey {
    guard let key = try idempotencyKey() else { throw Problem(.idempotencyKeyMissing) }
    do throws(Cryptography.Failure) {
      return OrderKey(text: key, request: try Cryptography.sha256(body))
    } catch {
      throw Problem(error)
    }
  }

  /// The `Idempotency-Key`, reduced to what a cart remembers of it; `nil` without one.
  ///
  /// - Throws: `invalid_field` for a key that is not 1–255 printable ASCII characters.
  func retryKey(target: RequestTarget) throws(Problem) -> RetryKey? {
    guard let key = try idempotencyKey() else { return nil }
    var request = Array(method.utf8)
    request.append(0)
    request += target.path
    request.append(0)
    // Elsewhere the query changes the answer only, not what is done.
    if method == HTTPMethod.delete.rawValue { request += target.query }
    request.append(0)
    request += body
    do throws(Cryptography.Failure) {
      return RetryKey(
        key: Array(try Cryptography.sha256(Array(key.utf8)).prefix(RetryKey.keyBytes)),
        request: Array(try Cryptography.sha256(request).prefix(RetryKey.requestBytes)))
    } catch {
      throw Problem(error)
    }
  }
}
