/// One JSON object for a log: ASCII and one line, whatever bytes go in.
struct JSONLine {
  private(set) var bytes: [UInt8] = [0x7b]

  mutating func add(_ name: StaticString, _ value: Int) {
    key(name)
    bytes += "\(value)".utf8
  }

  /// `limit`: bytes of the value; more are cut off.
  mutating func add(_ name: StaticString, _ value: some Collection<UInt8>, limit: Int = 256) {
    key(name)
    bytes.append(0x22)
    var decoder = UTF8()
    var rest = value.prefix(limit).makeIterator()
    decoding: while true {
      switch decoder.decode(&rest) {
      case .scalarValue(let scalar): append(scalar)
      case .error: append("\u{fffd}")
      case .emptyInput: break decoding
      }
    }
    bytes.append(0x22)
  }

  mutating func end() { bytes.append(0x7d) }

  private mutating func key(_ name: StaticString) {
    if bytes.count > 1 { bytes.append(0x2c) }
    bytes.append(0x22)
    bytes += name.description.utf8
    bytes += [0x22, 0x3a]
  }

  private mutating func append(_ scalar: Unicode.Scalar) {
    switch scalar.value {
    case 0x22, 0x5c:
      bytes += [0x5c, UInt8(truncatingIfNeeded: scalar.value)]
    case 0x20..<0x7f:
      bytes.append(UInt8(truncatingIfNeeded: scalar.value))
    default:
      for unit in String(scalar).utf16 {
        bytes += [0x5c, 0x75]
        for shift in [12, 8, 4, 0] {
          let digit = UInt8(truncatingIfNeeded: unit >> UInt16(shift) & 0xf)
          bytes.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
        }
      }
    }
  }
}
