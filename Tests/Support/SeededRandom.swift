/// SplitMix64: the same numbers for the same seed, so that what failed once fails again.
package struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var word = state
    word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
    return word ^ (word >> 31)
  }

  package mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }

  /// One of the elements, of which there must be some.
  package mutating func pick<Element>(_ elements: [Element]) -> Element {
    elements[Int.random(in: 0..<elements.count, using: &self)]
  }
}

package enum RandomJSON {
  private static let names = ["sku", "quantity", "lines", "extraData", "stock", "selected", "a", "é", "\\u0061", "~/"]
  private static let scalars = [
    "0", "1", "-1", "2.0", "1e3", "1000001", "9223372036854775807", "true", "false", "null", "\"\"", "\"A\"",
    "\"\\u00e9\"", "\"🎁\"", "\" \"", "0.1", "-0", "\"..\"",
  ]

  /// A JSON text that is valid, but for names that may stand twice.
  package static func text(depth: Int, using random: inout SeededRandom) -> String {
    guard depth > 0 else { return random.pick(scalars) }
    let count = Int.random(in: 0...3, using: &random)
    switch Int.random(in: 0...3, using: &random) {
    case 0:
      return "[" + (0..<count).map { _ in text(depth: depth - 1, using: &random) }.joined(separator: ",") + "]"
    case 1, 2:
      let members = (0..<count).map { _ in
        "\"\(random.pick(names))\":" + text(depth: depth - 1, using: &random)
      }
      return "{" + members.joined(separator: ", ") + "}"
    default: return text(depth: 0, using: &random)
    }
  }
}
