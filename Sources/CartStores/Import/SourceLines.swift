/// One line of a file, without its line feed.
struct SourceLine {
  /// Longer lines are not kept.
  static let maximumBytes = 65_536

  /// From 1.
  var number: Int
  var bytes: [UInt8]
  /// ``bytes`` is but the beginning.
  var isTooLong = false

  /// Nothing but white space.
  var isBlank: Bool {
    bytes.allSatisfy { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: "\r") }
  }

  /// Why no format can make anything of it; `nil` where one may.
  var fault: String? {
    if isTooLong { return "longer than \(Self.maximumBytes) bytes" }
    if bytes.contains(0) { return "a NUL byte" }
    if String(validating: bytes, as: UTF8.self) == nil { return "not UTF-8" }
    return nil
  }
}

/// Cuts a source into lines, keeping no more than one of them and one piece of the source.
final class SourceLines {
  private let source: any ImportSource
  private var piece: [UInt8] = []
  private var position = 0
  private var isAtEnd = false
  private var number = 0
  private var waiting: [SourceLine] = []

  init(_ source: any ImportSource) { self.source = source }

  /// The next line; `nil` at the end. A byte order mark before the first is passed over.
  func next() throws(ImportError) -> SourceLine? {
    if let line = waiting.popLast() { return line }
    var line = SourceLine(number: number + 1, bytes: [])
    var hasBytes = false
    while true {
      if position == piece.count {
        piece = isAtEnd ? [] : try source.read()
        position = 0
        if piece.isEmpty {
          isAtEnd = true
          guard hasBytes else { return nil }
          break
        }
      }
      hasBytes = true
      let end = piece[position...].firstIndex(of: UInt8(ascii: "\n"))
      append(piece[position..<(end ?? piece.count)], to: &line)
      position = end.map { $0 + 1 } ?? piece.count
      if end != nil { break }
    }
    number += 1
    if number == 1, line.bytes.starts(with: [0xEF, 0xBB, 0xBF]) { line.bytes.removeFirst(3) }
    return line
  }

  /// Gives lines back, to be read again in this order.
  func putBack(_ lines: some BidirectionalCollection<SourceLine>) {
    waiting.append(contentsOf: lines.reversed())
  }

  private func append(_ bytes: ArraySlice<UInt8>, to line: inout SourceLine) {
    let room = SourceLine.maximumBytes - line.bytes.count
    line.bytes.append(contentsOf: bytes.prefix(room))
    if bytes.count > room { line.isTooLong = true }
  }
}
