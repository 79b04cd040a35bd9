import CartDomain
import Testing

@testable import CartStores

/// A shop whose catalogue is PostgreSQL's own: orders move its stock.
final class OrderingShop {
  let schema: PostgresSchema
  let redis: RedisConfiguration

  init(_ redis: RedisConfiguration? = nil) throws {
    schema = try PostgresSchema()
    self.redis = try redis ?? RedisTesting.configuration()
  }

  /// Sells `sku` from now on; `more` are members of a catalogue's line.
  func sell(_ sku: String, price: Int = 100, stock: Int? = nil, _ more: String = "") throws {
    let stock = stock.map { String($0) } ?? "null"
    try schema.loadAll(
      #"{"sku":"\#(sku)","name":"Name of \#(sku)","unitPrice":\#(price),"currency":"GBP","stock":\#(stock)\#(more)}"#)
    let catalogue = try worker().catalogue
    try catalogue.publish()
    try catalogue.publishStock(PostgresCatalogue(schema.connection()).movedStock(after: 0, limit: 1_000))
  }

  func stock(of sku: String) throws -> Int? { try schema.product(sku)?.stock }

  func worker(patience: PostgresConfiguration.Patience = .command) throws -> OrderingWorker {
    try OrderingWorker(self, patience: patience)
  }

  func syncer() throws -> Syncer {
    Syncer(StoreGraph(RedisConnection(redis), try schema.connection()), name: "tests")
  }

  /// The number of rows of a table or a view.
  func count(_ table: String) throws -> Int { Int(try schema.rows("SELECT count(*) FROM \(table)")[0][0] ?? "") ?? -1 }
}

/// One worker of an ``OrderingShop``, with connections of its own.
final class OrderingWorker {
  /// Both stores, and what works between them.
  let graph: StoreGraph
  var redis: RedisConnection { graph.redis }
  var postgres: PostgresConnection { graph.postgres }
  var catalogue: RedisCatalogue { graph.catalogue }
  var store: RedisCartStore { graph.store }
  var checkout: Checkout { graph.checkout }

  init(_ shop: OrderingShop, patience: PostgresConfiguration.Patience, cancelWithin: Int = 1_800) throws {
    graph = StoreGraph(
      RedisConnection(shop.redis), try shop.schema.connection(patience: patience), cancelWithin: cancelWithin)
  }

  @discardableResult
  func add(
    _ owner: CartOwner, _ sku: SKU, _ quantity: Int = 1, data: ClientDataEdit = .keep
  ) throws -> ChangeReading {
    let reading = try store.change(
      ChangeRequest(
        owner: owner, change: .add([LineAddition(sku: sku, quantity: quantity, clientData: data)]),
        isNewGuest: owner.isGuest, requestID: "request"))
    #expect(reading.outcome == .changed)
    return reading
  }

  func place(
    _ owner: CartOwner, _ key: String, total: Int64, skus: [SKU]? = nil, body: UInt8 = 0, version: Int64? = nil,
    data: String? = nil
  ) throws -> OrderOutcome {
    try checkout.place(
      OrderRequest(
        owner: owner, key: OrderKey(text: key, request: [body]), expectedTotal: total, skus: skus,
        clientData: data.map { Array($0.utf8) }, conditions: version.map { [.oneOf([$0])] } ?? [],
        requestID: "request"))
  }

  func quantities(_ owner: CartOwner) throws -> [String: Int] {
    let lines = try store.cart(of: owner).cart.lines
    return Dictionary(uniqueKeysWithValues: lines.map { ($0.sku.text, $0.quantity) })
  }
}

extension OrderOutcome {
  /// The order that was placed now.
  var placed: Order? { if case .placed(let order) = self { order } else { nil } }
  var replayed: Order? { if case .replayed(let order) = self { order } else { nil } }
}
