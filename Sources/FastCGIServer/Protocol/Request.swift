/// One FastCGI request, complete and checked: its parameters and its body (FastCGI 1.0 §6.2, the Responder role).
package struct Request: Sendable {
  /// What the web server sent as STDIN. Empty when `isBodyTooLarge`.
  package let body: [UInt8]

  /// `CONTENT_LENGTH`, or nil if the web server gave none. If given, it equals the number of bytes that came.
  package let declaredBodyLength: Int?

  /// More than `Limits.bodyBytes` came. They were read and discarded, so that the web server can read an answer made
  /// from the parameters alone.
  package let isBodyTooLarge: Bool

  /// All names and values, one after the other; `entries` says where.
  let storage: [UInt8]
  let entries: [Entry]

  struct Entry: Sendable {
    var name: Range<Int>
    var value: Range<Int>
  }

  init(storage: [UInt8], entries: [Entry], body: [UInt8], declaredBodyLength: Int?, isBodyTooLarge: Bool) {
    self.storage = storage
    self.entries = entries
    self.body = body
    self.declaredBodyLength = declaredBodyLength
    self.isBodyTooLarge = isBodyTooLarge
  }

  /// A request that came over no connection: for an application's own tests.
  package init(parameters: [(name: String, value: String)], body: [UInt8] = [], isBodyTooLarge: Bool = false) {
    var storage: [UInt8] = []
    var entries: [Entry] = []
    for (name, value) in parameters {
      let start = storage.count
      storage += name.utf8
      let middle = storage.count
      storage += value.utf8
      entries.append(Entry(name: start..<middle, value: middle..<storage.count))
    }
    self.init(
      storage: storage, entries: entries, body: body, declaredBodyLength: body.count, isBodyTooLarge: isBodyTooLarge)
  }

  /// The value of a parameter as it came, nil if it did not come. Of several with one name, the first.
  package func bytes(_ name: String) -> ArraySlice<UInt8>? {
    entry(name).map { storage[$0.value] }
  }

  /// The values of a parameter that may come several times, as header fields do, in one.
  package func bytes(_ name: String, joinedBy separator: String) -> ArraySlice<UInt8>? {
    guard let first = entry(name) else { return nil }
    let wanted = storage[first.name]
    let values = entries.filter { $0.name.count == wanted.count && storage[$0.name].elementsEqual(wanted) }
    guard values.count > 1 else { return storage[first.value] }
    return Array(values.map { storage[$0.value] }.joined(separator: Array(separator.utf8)))[...]
  }

  /// The value of a parameter, nil if it did not come. Bytes that are not UTF-8 are replaced by U+FFFD: if that
  /// matters, use `bytes(_:)`.
  package func parameter(_ name: String) -> String? {
    entry(name).map { String(decoding: storage[$0.value], as: UTF8.self) }
  }

  /// Every parameter in the order in which it came.
  package var parameters: [(name: String, value: String)] {
    entries.map {
      (String(decoding: storage[$0.name], as: UTF8.self), String(decoding: storage[$0.value], as: UTF8.self))
    }
  }

  private func entry(_ name: String) -> Entry? {
    let wanted = name.utf8.span
    let storage = storage.span
    return entries.first { entry in
      guard entry.name.count == wanted.count else { return false }
      // From the end: the names of header fields begin alike.
      for index in stride(from: wanted.count - 1, through: 0, by: -1)
      where storage[entry.name.lowerBound + index] != wanted[index] {
        return false
      }
      return true
    }
  }
}
