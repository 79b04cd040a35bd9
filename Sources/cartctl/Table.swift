import CartDomain

/// Columns of plain text.
enum Table {
  /// `text` with spaces behind it, up to `width` characters.
  static func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(1, width - text.count))
  }

  /// Rows under a header; each column as wide as its widest cell. Numbers belong to the right.
  static func lines(_ rows: [[String]], right: Set<Int>) -> [String] {
    var widths: [Int] = []
    for row in rows {
      for (column, cell) in row.enumerated() {
        if column == widths.count { widths.append(0) }
        widths[column] = max(widths[column], cell.count)
      }
    }
    return rows.map { row in
      var line = ""
      for (column, cell) in row.enumerated() {
        let space = String(repeating: " ", count: widths[column] - cell.count)
        line += (column > 0 ? "  " : "") + (right.contains(column) ? space + cell : cell + space)
      }
      while line.last == " " { line.removeLast() }
      return line
    }
  }
}

extension Money {
  /// E.g. `2.55 GBP`, `500 JPY`.
  var text: String {
    let digits = String(minorUnits.magnitude)
    let padded = String(repeating: "0", count: max(0, currency.minorUnit + 1 - digits.count)) + digits
    let whole = padded.dropLast(currency.minorUnit)
    let fraction = currency.minorUnit > 0 ? "." + padded.suffix(currency.minorUnit) : ""
    return (minorUnits < 0 ? "-" : "") + whole + fraction + " " + currency.code
  }
}
