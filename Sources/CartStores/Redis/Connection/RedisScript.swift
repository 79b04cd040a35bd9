import CartDomain

/// The scripts that Redis runs, shipped in the binary.
enum RedisScript: String, CaseIterable, Sendable {
  case add
  /// An edit that can't make the cart grow by more than some digits: allowed where Redis is out of memory.
  case edit
  /// An edit that brings new client data.
  case editWithData
  case remove
  case select
  case acknowledge
  case touch
  case apply
  case leaseRestore
  case endLease
  case install
  /// Puts a cart in the place of an older copy of it, or notes that there is none: allowed where Redis is out of memory.
  case reinstall
  case persisted
  case raise
  case invalidate
  case evict
  case freeze
  case leaveTombstone
  case fill
  case publish
  /// Publishes movements of stock: allowed where Redis is out of memory.
  case moveStock
  case advance
  case reset
  case registerHistory
  case supersede
  case closeGate
  case setPressure
  /// A small command of somebody who can't go on without it: allowed where Redis is out of memory.
  case allowOOM
  case setAside
  case claimTask
  case registerSyncer
  case unregisterSyncer

  /// The text for `EVAL` and `SCRIPT LOAD`.
  ///
  /// Its first line makes Redis refuse it before it runs where memory is out, the disk fails or Redis is a replica.
  var source: [UInt8] { Self.sources[self] ?? [] }

  private static let sources: [RedisScript: [UInt8]] = Dictionary(
    uniqueKeysWithValues: allCases.map { ($0, $0.composed) })

  private var composed: [UInt8] {
    Array((isAllowedWithoutMemory ? "#!lua flags=allow-oom\n" : "#!lua\n").utf8) + parts.joined()
  }

  /// The domain's limits, as locals that the scripts find.
  private static let limits = Array(
    """
    local maximum_lines, maximum_total, large_line_threshold = \(Cart.maximumLines), \(Money.maximumTotal), \(CartHash.largeLineThreshold)
    local lifetime, renewal = \(Cart.guestLifetimeMilliseconds / 1000), \(Cart.renewalIntervalMilliseconds / 1000)

    """.utf8)

  /// Whether it may run where Redis is out of memory.
  var isAllowedWithoutMemory: Bool {
    switch self {
    case .edit, .remove, .select, .touch, .apply, .leaseRestore, .endLease, .reinstall, .persisted, .raise,
      .invalidate, .evict, .freeze, .leaveTombstone, .moveStock, .advance, .reset, .registerHistory, .supersede,
      .closeGate, .setPressure, .allowOOM, .setAside, .claimTask, .registerSyncer, .unregisterSyncer:
      true
    case .add, .editWithData, .acknowledge, .install, .fill, .publish: false
    }
  }

  private var parts: [[UInt8]] {
    switch self {
    case .add: onCart([PackageResources.rules_lua, PackageResources.add_lua])
    case .edit, .editWithData: onCart([PackageResources.rules_lua, PackageResources.edit_lua])
    case .remove: onCart([PackageResources.filter_lua, PackageResources.remove_lua, PackageResources.limit_lua])
    case .select: onCart([PackageResources.filter_lua, PackageResources.select_lua, PackageResources.limit_lua])
    case .acknowledge:
      onCart([
        PackageResources.rules_lua, PackageResources.filter_lua, PackageResources.acknowledge_lua,
        PackageResources.limit_lua,
      ])
    case .touch: onCart([PackageResources.touch_lua])
    case .apply: onCart([PackageResources.rules_lua, PackageResources.apply_lua])
    case .leaseRestore: [PackageResources.lease_restore_lua]
    case .endLease: [PackageResources.end_lease_lua]
    case .install, .reinstall: [PackageResources.install_lua]
    case .persisted: [PackageResources.persisted_lua]
    case .raise: [PackageResources.raise_lua]
    case .invalidate: [PackageResources.invalidate_lua]
    case .evict: [PackageResources.evict_lua]
    case .freeze: [PackageResources.freeze_lua]
    case .leaveTombstone: [PackageResources.leave_tombstone_lua]
    case .fill: [PackageResources.fill_lua]
    case .publish: [PackageResources.entry_lua, PackageResources.publish_lua]
    case .moveStock: [PackageResources.token_lua, PackageResources.entry_lua, PackageResources.move_stock_lua]
    case .advance: [PackageResources.token_lua, PackageResources.advance_lua]
    case .reset: [PackageResources.token_lua, PackageResources.reset_lua]
    case .registerHistory: [PackageResources.register_history_lua]
    case .supersede: [PackageResources.supersede_lua]
    case .closeGate: [PackageResources.close_gate_lua]
    case .setPressure: [PackageResources.set_pressure_lua]
    case .allowOOM: [PackageResources.allow_oom_lua]
    case .setAside: [PackageResources.set_aside_lua]
    case .claimTask: [PackageResources.claim_task_lua]
    case .registerSyncer: [PackageResources.register_syncer_lua]
    case .unregisterSyncer: [PackageResources.unregister_syncer_lua]
    }
  }

  /// Where a change on a cart has the SKUs of its lines, the first of them and the distance of the next: then nothing
  /// else of the cart need be read. A filter may name them, or not.
  private var namedLines: String {
    switch self {
    case .add: "9, 8"
    case .edit, .editWithData: "9, 1000"
    case .touch: "1000, 1000"
    case .remove: "ARGV[10] == 'skus' and 11, 1"
    case .select: "ARGV[11] == 'skus' and 12, 1"
    default: "nil"
    }
  }

  private func onCart(_ change: [[UInt8]]) -> [[UInt8]] {
    [Self.limits, Array("local first, step = \(namedLines)\n".utf8), PackageResources.open_lua] + change
      + [PackageResources.close_lua]
  }
}
