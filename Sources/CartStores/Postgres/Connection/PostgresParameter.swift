/// A statement's parameter, in PostgreSQL's text form. It never becomes a part of the SQL.
package struct PostgresParameter: Sendable {
  /// `nil` for NULL.
  let bytes: [UInt8]?

  private init(bytes: [UInt8]?) { self.bytes = bytes }

  package static let null = PostgresParameter(bytes: nil)

  package static func text(_ text: String?) -> Self { Self(bytes: text.map { Array($0.utf8) }) }
  package static func integer(_ value: Int64?) -> Self { Self(bytes: value.map { Array(String($0).utf8) }) }
  package static func integer(_ value: Int) -> Self { integer(Int64(value)) }
  package static func boolean(_ value: Bool?) -> Self { text(value.map { $0 ? "t" : "f" }) }

  /// For `text[]`.
  package static func texts(_ values: some Sequence<String?>) -> Self {
    array(values) { text, bytes in
      bytes.append(UInt8(ascii: "\""))
      for byte in text.utf8 {
        if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { bytes.append(UInt8(ascii: "\\")) }
        bytes.append(byte)
      }
      bytes.append(UInt8(ascii: "\""))
    }
  }

  /// For `bigint[]` and `integer[]`.
  package static func integers(_ values: some Sequence<Int64?>) -> Self {
    array(values) { value, bytes in bytes.append(contentsOf: String(value).utf8) }
  }

  /// For `boolean[]`.
  package static func booleans(_ values: some Sequence<Bool?>) -> Self {
    array(values) { value, bytes in bytes.append(UInt8(ascii: value ? "t" : "f")) }
  }

  /// The array literal of the manual's section 8.15.2.
  private static func array<Value>(
    _ values: some Sequence<Value?>, append: (Value, inout [UInt8]) -> Void
  ) -> Self {
    var bytes: [UInt8] = [UInt8(ascii: "{")]
    for value in values {
      if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
      if let value { append(value, &bytes) } else { bytes.append(contentsOf: "NULL".utf8) }
    }
    bytes.append(UInt8(ascii: "}"))
    return Self(bytes: bytes)
  }
}

/// SQL with a name for it. A statement is prepared once per connection.
package struct PostgresStatement: Sendable {
  /// Names it on the server and in errors; unique within the project.
  package let name: String
  package let sql: String
  /// It locks many rows that others hold for a moment: where it takes too long, that says nothing of the server.
  package let waitsForLocks: Bool

  package init(_ name: String, waitsForLocks: Bool = false, _ sql: String) {
    self.name = name
    self.sql = sql
    self.waitsForLocks = waitsForLocks
  }
}
