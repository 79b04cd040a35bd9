import CJansson

/// A value of a ``JSONDocument``. It holds its own reference, so it may outlive the document.
@safe package struct JSONValue: ~Copyable {
  package enum Kind: Sendable {
    case object, array, string, integer, real, boolean, null
  }

  private let pointer: UnsafeMutablePointer<json_t>

  /// Takes over a reference that the caller holds.
  init(owning reference: UnsafeMutablePointer<json_t>) {
    unsafe pointer = reference
  }

  deinit { unsafe json_decref(pointer) }

  package var kind: Kind {
    switch unsafe pointer.pointee.type {
    case JSON_OBJECT: .object
    case JSON_ARRAY: .array
    case JSON_STRING: .string
    case JSON_INTEGER: .integer
    case JSON_REAL: .real
    case JSON_TRUE, JSON_FALSE: .boolean
    default: .null
    }
  }

  package var isNull: Bool { kind == .null }

  /// `nil` for anything but a number without fraction and exponent: `2.0` and `2e0` are reals.
  package var integer: Int? {
    kind == .integer ? Int(unsafe json_integer_value(pointer)) : nil
  }

  /// `nil` for anything but a number with a fraction or an exponent.
  package var real: Double? {
    kind == .real ? unsafe json_real_value(pointer) : nil
  }

  package var boolean: Bool? {
    switch unsafe pointer.pointee.type {
    case JSON_TRUE: true
    case JSON_FALSE: false
    default: nil
    }
  }

  /// `nil` for anything but a string.
  package var string: String? {
    guard kind == .string, let bytes = unsafe json_string_value(pointer) else { return nil }
    return unsafe Self.text(bytes, json_string_length(pointer))
  }

  /// Members of an object, elements of an array; 0 for anything else.
  package var count: Int {
    switch kind {
    case .object: unsafe json_object_size(pointer)
    case .array: unsafe json_array_size(pointer)
    default: 0
    }
  }

  /// `nil` if this is no object or has no such member.
  package func member(_ name: String) -> JSONValue? {
    unsafe JSONValue(borrowed: json_object_getn(pointer, name, name.utf8.count))
  }

  /// `nil` if this is no array or is shorter.
  package func element(_ index: Int) -> JSONValue? {
    guard index >= 0 else { return nil }
    return unsafe JSONValue(borrowed: json_array_get(pointer, index))
  }

  /// The members of an object, in the order of the text; none of anything else.
  package func forEachMember<Failure: Error>(
    _ body: (_ name: String, _ value: borrowing JSONValue) throws(Failure) -> Void
  ) throws(Failure) {
    guard kind == .object else { return }
    var iterator = unsafe json_object_iter(pointer)
    while let member = unsafe iterator {
      if let name = unsafe json_object_iter_key(member),
        let value = unsafe JSONValue(borrowed: json_object_iter_value(member))
      {
        try body(unsafe Self.text(name, json_object_iter_key_len(member)), value)
      }
      unsafe iterator = json_object_iter_next(pointer, member)
    }
  }

  /// The elements of an array with their positions; none of anything else.
  package func forEachElement<Failure: Error>(
    _ body: (_ index: Int, _ value: borrowing JSONValue) throws(Failure) -> Void
  ) throws(Failure) {
    guard kind == .array else { return }
    for index in 0..<count {
      if let value = element(index) { try body(index, value) }
    }
  }

  private static func text(_ bytes: UnsafePointer<CChar>, _ count: Int) -> String {
    // jansson lets only UTF-8 through.
    unsafe String(decoding: UnsafeRawBufferPointer(start: bytes, count: count), as: UTF8.self)
  }
}

extension JSONValue {
  /// The value of a reference that jansson keeps, or `nil`.
  fileprivate init?(borrowed reference: UnsafeMutablePointer<json_t>?) {
    guard let reference = unsafe reference else { return nil }
    unsafe self.init(owning: json_incref(reference))
  }
}
