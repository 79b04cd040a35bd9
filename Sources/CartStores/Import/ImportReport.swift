/// What an import did.
package struct ImportReport: Equatable, Sendable {
  /// Rows that the format says are no products.
  package struct Skipped: Equatable, Sendable {
    package var cancellations = 0
    /// Rows whose quantity or price is not positive.
    package var notPositive = 0

    package init() {}
  }

  /// Records in the file, bad and skipped ones too.
  package var rows = 0
  package var skipped = Skipped()
  /// With one or more nothing was changed.
  package var badLines = 0
  /// SKUs that the file speaks of.
  package var products = 0
  package var added = 0
  package var changed = 0
  /// The catalogue's version after the import.
  package var catalogueVersion: Int64 = 0
  /// The last change of stock that is to follow, see ``PostgresCatalogue/isStockApplied(through:)``; `nil` for none.
  package var lastStockChange: Int64?

  package var unchanged: Int { products - added - changed }
  package var isImported: Bool { badLines == 0 }
}
