import CartDomain
import CartJSON

/// The client's own keys on a line.
enum ClientData {
  /// Of compact JSON.
  static let maximumBytes = 1024

  /// The server's own names in `extraData`.
  private static let reserved: Set<String> = [
    "stock", "purchaseLimit", "customerLimit", "minimumQuantity", "quantityStep", "availableFrom", "availableUntil",
  ]

  /// Reads `extraData`: an object, kept as canonical JSON, so that the same keys and values are no change. An empty one
  /// clears.
  static func read(_ value: borrowing JSONValue, at pointer: BodyPointer, faults: inout BodyFaults) -> ClientDataEdit {
    guard value.kind == .object else {
      faults.add(.invalidField, at: pointer)
      return .keep
    }
    if value.count == 0 { return .replace([]) }
    for name in value.memberNames where reserved.contains(name) {
      faults.add(.reservedKey, at: pointer.member(name))
    }
    let data = value.canonicalBytes
    if data.count > maximumBytes { faults.add(.extraDataTooLarge, at: pointer, limit: maximumBytes) }
    return .replace(data)
  }
}
