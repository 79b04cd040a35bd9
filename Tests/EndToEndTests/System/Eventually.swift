import Foundation

/// Asks again and again until the answer is as wanted; throws when that took longer than `seconds`.
func eventually<Value>(
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

/// Asks on many connections, so that every worker answers, for a little longer than `seconds`: an answer to a request
/// that was sent after that time must be as wanted.
///
/// - Returns: the answers that came too late to be of the old kind, yet were.
func staleAnswers<Value>(
  after seconds: Double, connections: Int = 12, _ ask: (Int) throws -> Value, isNew: (Value) throws -> Bool
) throws -> [Value] {
  let start = ContinuousClock.now
  var stale: [Value] = []
  var counted = 0
  var turn = 0
  while counted < connections * 4 {
    let sent = ContinuousClock.now
    let value = try ask(turn % connections)
    turn += 1
    guard sent - start > .seconds(seconds) else { continue }
    counted += 1
    if try !isNew(value) { stale.append(value) }
  }
  return stale
}
