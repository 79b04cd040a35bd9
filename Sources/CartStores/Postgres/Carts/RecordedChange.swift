package import CartDomain

/// What a change did to one line of a cart, as PostgreSQL's record has it.
package struct RecordedChange: Equatable, Sendable {
  /// A line before or after it.
  package struct State: Equatable, Sendable {
    /// `nil`, as all else but ``isSelected``, where a filter has selected or deselected the line.
    package var quantity: Int?
    package var isSelected: Bool
    /// The price that the shopper saw; `nil` where the record names no currency.
    package var unitPrice: Money?
    /// The client's own keys as JSON, in an order of PostgreSQL's; `nil` where there are none.
    package var clientData: [UInt8]?
  }

  package var at: Timestamp
  /// With ``version`` the change's place in the cart's history.
  package var epoch: Int64
  /// The cart's version after the change.
  package var version: Int64
  package var sku: SKU
  package var action: String
  /// `nil` where the line came with this change.
  package var before: State?
  /// `nil` where the line went with this change.
  package var after: State?
  package var requestID: String

  /// - Throws: ``StoreError/Code/corrupt``.
  init(_ rows: borrowing PostgresResult, _ row: Int) throws(StoreError) {
    guard let at = rows.integer(row, 0), let epoch = rows.integer(row, 1), let version = rows.integer(row, 2),
      let sku = rows.text(row, 3).flatMap({ SKU($0) }), let action = rows.text(row, 4)
    else { throw StoreError(.corrupt, "PostgreSQL: a change of a cart can't be read") }
    self.at = Timestamp(milliseconds: at)
    self.epoch = epoch
    self.version = version
    self.sku = sku
    self.action = action
    requestID = rows.text(row, 5) ?? ""
    before = State(rows, row, from: 6)
    after = State(rows, row, from: 6 + State.columnCount)
  }
}
