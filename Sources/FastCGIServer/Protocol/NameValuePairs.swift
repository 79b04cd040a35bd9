internal import Glibc

/// FastCGI 1.0 §3.4: pairs of a name and a value, each length in one byte or, with the high bit set, in four.
struct NameValuePairs: Sequence, IteratorProtocol {
  struct Pair {
    var name: Range<Int>
    var value: Range<Int>
  }

  private let bytes: [UInt8]
  private var position = 0
  /// The pairs did not end where the bytes end.
  private(set) var isMalformed = false

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  mutating func next() -> Pair? {
    if position == bytes.count || isMalformed { return nil }
    guard let nameLength = length(), let valueLength = length(),
      nameLength <= bytes.count - position, valueLength <= bytes.count - position - nameLength
    else {
      isMalformed = true
      return nil
    }
    let middle = position + nameLength
    let pair = Pair(name: position..<middle, value: middle..<(middle + valueLength))
    position = pair.value.upperBound
    return pair
  }

  /// 0 to 2³¹−1.
  private mutating func length() -> Int? {
    guard position < bytes.count else { return nil }
    let first = bytes[position]
    if first & 0x80 == 0 {
      position += 1
      return Int(first)
    }
    guard bytes.count - position >= 4 else { return nil }
    let value =
      Int(first & 0x7f) << 24 | Int(bytes[position + 1]) << 16 | Int(bytes[position + 2]) << 8
      | Int(bytes[position + 3])
    position += 4
    return value
  }
}

/// What is checked of the parameters before libfcgi reads them.
struct ParameterCheck {
  private(set) var declaredBodyLength: Int?

  private static let contentLength = Array("CONTENT_LENGTH".utf8)

  /// libfcgi makes C strings of the form `name=value` from them, so a NUL anywhere or a `=` in a name would say
  /// something else there than here.
  init(_ bytes: [UInt8], limits: Limits) throws(RefusalError) {
    var pairs = NameValuePairs(bytes)
    var count = 0
    var hasLength = false
    if Self.hasNUL(bytes) { throw RefusalError(.malformedParameters) }
    while let pair = pairs.next() {
      count += 1
      if count > limits.parameterCount { throw RefusalError(.tooManyParameters) }
      let name = bytes[pair.name]
      if name.isEmpty || name.contains(UInt8(ascii: "=")) { throw RefusalError(.malformedParameters) }
      if name.count == Self.contentLength.count, name.elementsEqual(Self.contentLength) {
        if hasLength { throw RefusalError(.malformedParameters) }
        hasLength = true
        declaredBodyLength = try Self.number(bytes[pair.value])
      }
    }
    if pairs.isMalformed { throw RefusalError(.malformedParameters) }
  }

  /// A zero byte is usually the length of an empty value; only one inside a name or value is a NUL.
  private static func hasNUL(_ bytes: [UInt8]) -> Bool {
    var pairs = NameValuePairs(bytes)
    return unsafe bytes.withUnsafeBytes { bytes in
      guard let start = bytes.baseAddress else { return false }
      while let pair = pairs.next() {
        let text = pair.name.lowerBound..<pair.value.upperBound
        if unsafe memchr(start + text.lowerBound, 0, text.count) != nil { return true }
      }
      return false
    }
  }

  /// Digits only; empty (nginx's way of saying that there is no body) is none.
  private static func number(_ digits: ArraySlice<UInt8>) throws(RefusalError) -> Int? {
    if digits.isEmpty { return nil }
    var value = 0
    for digit in digits {
      guard (0x30...0x39).contains(digit) else { throw RefusalError(.malformedParameters) }
      let (tens, over) = value.multipliedReportingOverflow(by: 10)
      let (sum, overflow) = tens.addingReportingOverflow(Int(digit) - 0x30)
      if over || overflow { throw RefusalError(.malformedParameters) }
      value = sum
    }
    return value
  }
}

struct RefusalError: Error {
  let refusal: Refusal
  init(_ refusal: Refusal) { self.refusal = refusal }
}
