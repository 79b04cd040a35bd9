internal import CPostgres

/// The answer to one statement, all rows of it, owned.
@safe package struct PostgresResult: ~Copyable {
  private let handle: OpaquePointer

  // PG_DIAG_… of postgres_ext.h are character macros.
  static let sqlStateField = Int32(UInt8(ascii: "C"))
  static let messageField = Int32(UInt8(ascii: "M"))
  static let constraintField = Int32(UInt8(ascii: "n"))

  /// Takes over a `PGresult`.
  init(owning handle: OpaquePointer) {
    unsafe self.handle = handle
  }

  deinit { unsafe PQclear(handle) }

  var status: ExecStatusType { unsafe PQresultStatus(handle) }

  var isError: Bool {
    switch status {
    case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY: false
    default: true
    }
  }

  func errorField(_ field: Int32) -> String? {
    unsafe PQresultErrorField(handle, field).map { unsafe String(cString: $0) }
  }

  /// E.g. `COMMIT`, `INSERT 0 1`.
  package var commandTag: String { unsafe PQcmdStatus(handle).map { unsafe String(cString: $0) } ?? "" }

  package var rowCount: Int { Int(unsafe PQntuples(handle)) }
  package var columnCount: Int { Int(unsafe PQnfields(handle)) }

  /// Rows that an INSERT, UPDATE or DELETE touched.
  package var affectedRows: Int {
    unsafe PQcmdTuples(handle).map { Int(unsafe String(cString: $0)) ?? 0 } ?? 0
  }

  /// The value in text form; `nil` for NULL.
  package func text(_ row: Int, _ column: Int) -> String? {
    guard let bytes = unsafe value(row, column) else { return nil }
    return unsafe String(decoding: bytes, as: UTF8.self)
  }

  /// `nil` for NULL and for what is no integer.
  package func integer(_ row: Int, _ column: Int) -> Int64? {
    guard let bytes = unsafe value(row, column), let first = unsafe bytes.first else { return nil }
    let isNegative = first == UInt8(ascii: "-")
    if isNegative, bytes.count == 1 { return nil }
    var counted: Int64 = 0
    for index in (isNegative ? 1 : 0)..<bytes.count {
      let byte = unsafe bytes[index]
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
      let (tens, overflow) = counted.multipliedReportingOverflow(by: 10)
      // Counted below zero, where there is one number more.
      let (next, underflow) = tens.subtractingReportingOverflow(Int64(byte - UInt8(ascii: "0")))
      if overflow || underflow { return nil }
      counted = next
    }
    if isNegative { return counted }
    return counted == .min ? nil : -counted
  }

  /// `nil` for NULL and for what is no boolean.
  package func boolean(_ row: Int, _ column: Int) -> Bool? {
    switch text(row, column) {
    case "t": true
    case "f": false
    default: nil
    }
  }

  package func isNull(_ row: Int, _ column: Int) -> Bool { unsafe value(row, column) == nil }

  /// Valid as long as `self` is.
  private func value(_ row: Int, _ column: Int) -> UnsafeBufferPointer<UInt8>? {
    guard row >= 0, row < rowCount, column >= 0, column < columnCount,
      let row = Int32(exactly: row), let column = Int32(exactly: column),
      unsafe PQgetisnull(handle, row, column) == 0, let start = unsafe PQgetvalue(handle, row, column)
    else { return nil }
    let count = Int(unsafe PQgetlength(handle, row, column))
    return unsafe UnsafeRawBufferPointer(start: start, count: count).assumingMemoryBound(to: UInt8.self)
  }
}
