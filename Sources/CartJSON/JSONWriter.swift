/// Appends one compact JSON text to a buffer of UTF-8. It puts the commas and the braces.
///
/// The buffer is raw memory, since every byte of every answer passes through here.
@safe package struct JSONWriter: ~Copyable {
  private var memory: UnsafeMutablePointer<UInt8>
  private var capacity: Int
  private var count = 0
  private var needsComma = false

  /// - Parameter capacity: bytes for which there is room at once; more is made as it is needed.
  package init(capacity: Int = 512) {
    self.capacity = max(64, capacity)
    unsafe memory = .allocate(capacity: self.capacity)
  }

  deinit { unsafe memory.deallocate() }

  /// Begins anew. The memory stays, unless a long text took more of it than most need.
  package mutating func removeAll() {
    count = 0
    needsComma = false
    if capacity > 64 * 1024 {
      unsafe memory.deallocate()
      capacity = 16 * 1024
      unsafe memory = .allocate(capacity: capacity)
    }
  }

  /// What was written.
  package var bytes: [UInt8] {
    unsafe Array(UnsafeBufferPointer(start: memory, count: count))
  }

  package mutating func beginObject() { open(UInt8(ascii: "{")) }
  package mutating func endObject() { close(UInt8(ascii: "}")) }
  package mutating func beginArray() { open(UInt8(ascii: "[")) }
  package mutating func endArray() { close(UInt8(ascii: "]")) }

  /// The name of the member that is written next; it must need no escaping.
  package mutating func key(_ name: StaticString) {
    let length = name.utf8CodeUnitCount
    makeRoom(length + 4)
    if needsComma { put(UInt8(ascii: ",")) }
    put(UInt8(ascii: "\""))
    unsafe put(name.utf8Start, length)
    put(UInt8(ascii: "\""))
    put(UInt8(ascii: ":"))
    needsComma = false
  }

  /// Like ``key(_:)``, for a name that came from outside.
  package mutating func key(escaping name: String) {
    string(name)
    makeRoom(1)
    put(UInt8(ascii: ":"))
    needsComma = false
  }

  package mutating func string(_ text: String) {
    let done: Void? = unsafe text.utf8.withContiguousStorageIfAvailable { unsafe quoted($0) }
    if done == nil { unsafe Array(text.utf8).withUnsafeBufferPointer { unsafe quoted($0) } }
  }

  /// A string, or null.
  package mutating func string(_ text: String?) {
    if let text { string(text) } else { null() }
  }

  package mutating func integer(_ value: Int64) {
    separate(20)
    if value < 0 { put(UInt8(ascii: "-")) }
    var digits = InlineArray<20, UInt8>(repeating: 0)
    var start = 20
    var rest = value.magnitude
    repeat {
      start -= 1
      let quotient = rest / 10
      digits[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest - quotient * 10)
      rest = quotient
    } while rest > 0
    for index in start..<20 { put(digits[index]) }
    needsComma = true
  }

  package mutating func integer(_ value: Int) { integer(Int64(value)) }

  /// An integer, or null.
  package mutating func integer(_ value: Int?) {
    if let value { integer(Int64(value)) } else { null() }
  }

  package mutating func boolean(_ value: Bool) { word(value ? "true" : "false") }
  package mutating func null() { word("null") }

  /// The shortest digits that read back as the same number; null for what JSON can't say.
  package mutating func real(_ value: Double) {
    guard value.isFinite else { return null() }
    json(Array(value.description.utf8)[...])
  }

  /// A value that is JSON already.
  package mutating func json(_ text: ArraySlice<UInt8>) {
    separate(text.count)
    put(text)
    needsComma = true
  }

  /// The members of an object that is compact JSON already, into the object that is open.
  package mutating func members(of object: [UInt8]) {
    guard object.count > 2, object.first == UInt8(ascii: "{"), object.last == UInt8(ascii: "}") else { return }
    json(object[1..<(object.count - 1)])
  }

  /// A string of bytes that need no escaping.
  package mutating func plainString(_ text: Span<UInt8>) {
    separate(text.count + 2)
    put(UInt8(ascii: "\""))
    unsafe text.withUnsafeBufferPointer { text in
      if let start = text.baseAddress { unsafe put(start, text.count) }
    }
    put(UInt8(ascii: "\""))
    needsComma = true
  }

  private mutating func open(_ brace: UInt8) {
    separate(1)
    put(brace)
    needsComma = false
  }

  private mutating func close(_ brace: UInt8) {
    makeRoom(1)
    put(brace)
    needsComma = true
  }

  private mutating func word(_ text: StaticString) {
    separate(text.utf8CodeUnitCount)
    unsafe put(text.utf8Start, text.utf8CodeUnitCount)
    needsComma = true
  }

  /// A comma if one is due, and room for `length` bytes behind it.
  @inline(__always)
  private mutating func separate(_ length: Int) {
    makeRoom(length + 1)
    if needsComma { put(UInt8(ascii: ",")) }
  }
}

// MARK: Objects and arrays

extension JSONWriter {
  /// An object; `body` writes its members.
  package mutating func object(_ body: (inout JSONWriter) -> Void) {
    open(UInt8(ascii: "{"))
    body(&self)
    close(UInt8(ascii: "}"))
  }

  /// An array; `body` writes its elements.
  package mutating func array(_ body: (inout JSONWriter) -> Void) {
    open(UInt8(ascii: "["))
    body(&self)
    close(UInt8(ascii: "]"))
  }

  /// A member that is an object.
  package mutating func object(_ name: StaticString, _ body: (inout JSONWriter) -> Void) {
    key(name)
    object(body)
  }

  /// A member that is an array.
  package mutating func array(_ name: StaticString, _ body: (inout JSONWriter) -> Void) {
    key(name)
    array(body)
  }

  /// A member that is a string, or null.
  package mutating func field(_ name: StaticString, _ value: String?) {
    key(name)
    string(value)
  }

  /// A member that is an integer, or null.
  package mutating func field(_ name: StaticString, _ value: Int?) {
    key(name)
    integer(value)
  }

  /// A member that is an integer, or null.
  package mutating func field(_ name: StaticString, _ value: Int64?) {
    key(name)
    if let value { integer(value) } else { null() }
  }

  package mutating func field(_ name: StaticString, _ value: Bool) {
    key(name)
    boolean(value)
  }

  /// A member whose value is JSON already, or null.
  package mutating func field(_ name: StaticString, json value: [UInt8]?) {
    key(name)
    if let value { json(value[...]) } else { null() }
  }
}

// MARK: Escaping

extension JSONWriter {
  private mutating func quoted(_ text: UnsafeBufferPointer<UInt8>) {
    // No byte becomes more than six.
    separate(text.count * 6 + 2)
    put(UInt8(ascii: "\""))
    // Few strings need escaping. Without a branch, the compiler looks at many bytes at once.
    var needsEscape = false
    for index in text.indices { needsEscape = unsafe needsEscape || Self.needsEscape(text[index]) }
    if needsEscape {
      for index in text.indices { putEscaping(unsafe text[index]) }
    } else if let start = text.baseAddress {
      unsafe put(start, text.count)
    }
    put(UInt8(ascii: "\""))
    needsComma = true
  }

  @inline(__always)
  private static func needsEscape(_ byte: UInt8) -> Bool {
    byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
  }

  /// RFC 8259 §7.
  private mutating func putEscaping(_ byte: UInt8) {
    guard Self.needsEscape(byte) else { return put(byte) }
    put(UInt8(ascii: "\\"))
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"): put(byte)
    case 0x0A: put(UInt8(ascii: "n"))
    case 0x0D: put(UInt8(ascii: "r"))
    case 0x09: put(UInt8(ascii: "t"))
    default:
      put(UInt8(ascii: "u"))
      put(UInt8(ascii: "0"))
      put(UInt8(ascii: "0"))
      put(Self.hexadecimal(byte >> 4))
      put(Self.hexadecimal(byte & 15))
    }
  }

  private static func hexadecimal(_ digit: UInt8) -> UInt8 {
    digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
  }
}

// MARK: Memory

extension JSONWriter {
  @inline(__always)
  private mutating func makeRoom(_ length: Int) {
    if capacity - count < length { grow(length) }
  }

  private mutating func grow(_ length: Int) {
    capacity = max(capacity * 2, count + length)
    let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
    unsafe larger.update(from: memory, count: count)
    unsafe memory.deallocate()
    unsafe memory = larger
  }

  /// The caller has made room; it traps if that was forgotten.
  @inline(__always)
  private mutating func put(_ byte: UInt8) {
    precondition(count < capacity)
    unsafe memory[count] = byte
    count += 1
  }

  @inline(__always)
  private mutating func put(_ source: UnsafePointer<UInt8>, _ length: Int) {
    precondition(length <= capacity - count)
    unsafe (memory + count).update(from: source, count: length)
    count += length
  }

  private mutating func put(_ text: ArraySlice<UInt8>) {
    unsafe text.withUnsafeBufferPointer { text in
      if let start = text.baseAddress { unsafe put(start, text.count) }
    }
  }
}
