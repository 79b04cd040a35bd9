extension JSONValue {
  /// The value as compact JSON, members sorted by the bytes of their names at every level: equal values give equal
  /// bytes, whatever the order and white space in which they came.
  ///
  /// A real stays a real (`2.0` is not `2`), with the fewest digits that read back as the same number.
  package var canonicalBytes: [UInt8] {
    var writer = JSONWriter()
    write(to: &writer)
    return writer.bytes
  }

  // Recursion ends at the depth that the document was parsed with.
  private func write(to writer: inout JSONWriter) {
    switch kind {
    case .null: writer.null()
    case .boolean: writer.boolean(boolean ?? false)
    case .integer: writer.integer(integer ?? 0)
    case .real: writer.real(real ?? 0)
    case .string: writer.string(string ?? "")
    case .array:
      writer.array { writer in
        for index in 0..<count { element(index)?.write(to: &writer) }
      }
    case .object:
      writer.object { writer in
        for name in memberNames.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
          writer.key(escaping: name)
          member(name)?.write(to: &writer)
        }
      }
    }
  }

  /// The names of an object's members, in the order of the text.
  package var memberNames: [String] {
    var names: [String] = []
    forEachMember { (name, _) in names.append(name) }
    return names
  }
}
