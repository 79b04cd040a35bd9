/// One record of a CSV file, or why there is none.
enum CSVRecord {
  case cells(line: Int, [String])
  case problem(ImportProblem)
}

/// Reads CSV as RFC 4180 has it: cells in double quotes may hold commas, line breaks and doubled quotes. Lines may end
/// in LF or CRLF; blank lines are passed over.
///
/// After a fault reading goes on with the next line, so that one bad record hides no other.
final class CSVRecords {
  private let lines: SourceLines

  init(_ lines: SourceLines) { self.lines = lines }

  /// `nil` at the end.
  func next() throws(ImportError) -> CSVRecord? {
    while let line = try lines.next() {
      if let fault = line.fault { return Self.problem(line, fault) }
      if line.isBlank { continue }
      switch Self.parse(line.bytes) {
      case .cells(let cells): return .cells(line: line.number, cells)
      case .fault(let fault): return Self.problem(line, fault)
      case .open: return try multiline(line)
      }
    }
    return nil
  }

  /// A record whose first line ends within quotes: it goes on to the line that closes them.
  private func multiline(_ first: SourceLine) throws(ImportError) -> CSVRecord {
    var record = first.bytes
    var more: [SourceLine] = []
    var isClosed = false
    while !isClosed, let line = try lines.next() {
      more.append(line)
      if line.isTooLong || record.count + line.bytes.count >= SourceLine.maximumBytes { break }
      record.append(UInt8(ascii: "\n"))
      record += line.bytes
      isClosed = line.bytes.count { $0 == UInt8(ascii: "\"") } % 2 == 1
    }
    var fault = "a quote that is not closed within \(SourceLine.maximumBytes) bytes"
    if isClosed {
      if let found = SourceLine(number: first.number, bytes: record).fault {
        fault = found
      } else {
        switch Self.parse(record) {
        case .cells(let cells): return .cells(line: first.number, cells)
        case .fault(let found): fault = found
        case .open: break
        }
      }
    }
    lines.putBack(more)
    return Self.problem(first, fault)
  }

  private static func problem(_ line: SourceLine, _ reason: String) -> CSVRecord {
    .problem(ImportProblem(line: line.number, reason: reason))
  }

  private enum Parsed {
    case cells([String])
    case fault(String)
    /// The end lies within quotes.
    case open
  }

  private static func parse(_ bytes: [UInt8]) -> Parsed {
    var cells: [String] = []
    var position = 0
    var end = bytes.count
    // Of CRLF; within quotes a CR is a part of the cell, and then the record is not at its end.
    if bytes.last == UInt8(ascii: "\r") { end -= 1 }
    while true {
      if position < end, bytes[position] == UInt8(ascii: "\"") {
        guard let (cell, after) = quoted(bytes, from: position + 1) else { return .open }
        cells.append(cell)
        position = after
        if position < end, bytes[position] != UInt8(ascii: ",") { return .fault("text behind a closing quote") }
      } else {
        let next = bytes[position..<end].firstIndex(of: UInt8(ascii: ",")) ?? end
        let cell = bytes[position..<next]
        if cell.contains(UInt8(ascii: "\"")) { return .fault("a quote within a cell that does not begin with one") }
        cells.append(String(decoding: cell, as: UTF8.self))
        position = next
      }
      if position >= end { return .cells(cells) }
      position += 1
    }
  }

  /// The cell, and the position behind its closing quote; `nil` where it is not closed.
  private static func quoted(_ bytes: [UInt8], from start: Int) -> (String, Int)? {
    var cell: [UInt8] = []
    var position = start
    while position < bytes.count {
      if bytes[position] != UInt8(ascii: "\"") {
        cell.append(bytes[position])
        position += 1
      } else if position + 1 < bytes.count, bytes[position + 1] == UInt8(ascii: "\"") {
        cell.append(UInt8(ascii: "\""))
        position += 2
      } else {
        return (String(decoding: cell, as: UTF8.self), position + 1)
      }
    }
    return nil
  }
}
