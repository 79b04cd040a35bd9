/// A JSON value as a test reads or sends it. Integers stay integers, so that a price that came as a real is seen.
package enum JSON: Equatable, Sendable {
  /// What looking up a key or an index that is not there gives: told apart from `null`.
  case absent
  case null
  case bool(Bool)
  case int(Int)
  case real(Double)
  case string(String)
  case array([JSON])
  case object([String: JSON])

  package subscript(key: String) -> JSON {
    guard case .object(let members) = self else { return .absent }
    return members[key] ?? .absent
  }

  package subscript(index: Int) -> JSON {
    guard case .array(let elements) = self, elements.indices.contains(index) else { return .absent }
    return elements[index]
  }

  package var elements: [JSON] {
    if case .array(let elements) = self { elements } else { [] }
  }

  package var members: [String: JSON] {
    if case .object(let members) = self { members } else { [:] }
  }

  package var keys: Set<String> { Set(members.keys) }

  package var string: String? {
    if case .string(let text) = self { text } else { nil }
  }

  package var int: Int? {
    if case .int(let number) = self { number } else { nil }
  }

  package var bool: Bool? {
    if case .bool(let flag) = self { flag } else { nil }
  }

  /// Reads one JSON text, strictly.
  package init(_ text: [UInt8]) throws { self = try JSONParser.parse(text) }

  /// This object with one member put in the place of what was there.
  package func setting(_ key: String, _ value: JSON) -> JSON {
    var members = members
    members[key] = value
    return .object(members)
  }
}

extension JSON: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByFloatLiteral, ExpressibleByStringInterpolation, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  package init(nilLiteral: ()) { self = .null }
  package init(booleanLiteral value: Bool) { self = .bool(value) }
  package init(integerLiteral value: Int) { self = .int(value) }
  package init(floatLiteral value: Double) { self = .real(value) }
  package init(stringLiteral value: String) { self = .string(value) }
  package init(arrayLiteral elements: JSON...) { self = .array(elements) }
  package init(dictionaryLiteral elements: (String, JSON)...) {
    self = .object(Dictionary(uniqueKeysWithValues: elements))
  }
}

extension JSON: CustomStringConvertible {
  /// Compact JSON text, members in the order of their names.
  package var description: String {
    switch self {
    case .absent: "(absent)"
    case .null: "null"
    case .bool(let flag): flag ? "true" : "false"
    case .int(let number): String(number)
    case .real(let number): String(number)
    case .string(let text): Self.quoted(text)
    case .array(let elements): "[" + elements.map(\.description).joined(separator: ",") + "]"
    case .object(let members):
      "{"
        + members.sorted { $0.key < $1.key }.map { Self.quoted($0.key) + ":" + $0.value.description }
        .joined(separator: ",") + "}"
    }
  }

  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}

// MARK: A cart

extension JSON {
  /// The body of an add of several lines.
  package static func bulk(_ lines: [(sku: String, quantity: Int)]) -> JSON {
    ["lines": .array(lines.map { ["sku": "\($0.sku)", "quantity": .int($0.quantity)] })]
  }

  /// The line of this SKU in a cart.
  package func line(_ sku: String) -> JSON { self["lines"].elements.first { $0["sku"].string == sku } ?? .absent }

  /// The SKUs of a cart's lines, in their order.
  package var skus: [String] { self["lines"].elements.compactMap(\.["sku"].string) }

  /// The problems of a cart as `code sku`.
  package var problemCodes: Set<String> {
    Set(self["problems"].elements.map { "\($0["code"].string ?? "?") \($0["sku"].string ?? "")" })
  }
}
