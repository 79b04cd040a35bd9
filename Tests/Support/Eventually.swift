import Foundation

/// Asks again and again until the answer is as wanted; throws when that took longer than `seconds`.
package func eventually<Value>(
  within seconds: Double, _ ask: () throws -> Value, until isDone: (Value) throws -> Bool
) throws -> Value {
  let start = ContinuousClock.now
  while true {
    let asked = ContinuousClock.now
    let value = try ask()
    if try isDone(value) { return value }
    guard asked - start < .seconds(seconds) else {
      throw BadResponse(reason: "not as expected after \(seconds) s: \(value)")
    }
  }
}
