package import CartDomain

/// Takes products off sale: all of those named or, where one is not known, none. Their revisions and stock stay.
package struct CatalogueRetirement {
  package enum Outcome: Equatable, Sendable {
    /// `retired` counts those that were on sale before.
    case done(retired: Int, catalogueVersion: Int64)
    /// The catalogue has none of these; nothing was changed.
    case unknown([SKU])
  }

  private let connection: PostgresConnection

  package init(_ connection: PostgresConnection) {
    self.connection = connection
  }

  package func run(_ skus: [SKU]) throws(StoreError) -> Outcome {
    let skus = Array(Set(skus)).sorted()
    do throws(PostgresError) {
      try connection.begin()
    } catch {
      throw error.storeError
    }
    defer { connection.rollback() }
    do throws(PostgresError) {
      let staging = PostgresCatalogueStaging(connection)
      try staging.open()
      let unknown = try staging.unknown(skus)
      if !unknown.isEmpty { return .unknown(unknown) }
      var fields = ProductFields()
      _ = fields.set(.active, .boolean(false))
      _ = try staging.stage(skus.map { ProductPatch(line: 0, sku: $0, fields: fields) })
      let applied = try staging.apply()
      try connection.commit()
      return .done(retired: applied.changed, catalogueVersion: applied.catalogueVersion)
    } catch {
      throw error.storeError
    }
  }
}
