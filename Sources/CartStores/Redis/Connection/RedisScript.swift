import CartDomain

/// The scripts that Redis runs, shipped in the binary.
enum RedisScript: String, CaseIterable, Sendable {
  case add
  /// An edit that can't make the cart grow by more than some digits: allowed if Redis is out of memory.
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
  /// Puts a cart in the place of an older copy of it, or notes that there is none: allowed if Redis is out of memory.
  case reinstall
  case persisted
  case raise
  case invalidate
  case evict
  case freeze
  case leaveTombstone
  case fill
  case publish
  /// Publishes movements of stock: allowed if Redis is out of memory.
  case moveStock
  case advance
  case reset
  case registerHistory
  case supersede
  case closeGate
  case setPressure
  /// A small command of somebody who can't go on without it: allowed if Redis is out of memory.
  case allowOOM
  case setAside
  case claimTask
  case registerSyncer
  case unregisterSyncer

  /// The text for `EVAL` and `SCRIPT LOAD`.
  ///
  /// Its first line makes Redis refuse it before it runs if memory is out, the disk fails or Redis is a replica.
  var source: [UInt8] { Self.sources[self] ?? [] }

  /// Whether it may run if Redis is out of memory.
  var isAllowedWithoutMemory: Bool { !row.needsMemory }

  private static let sources: [RedisScript: [UInt8]] = Dictionary(
    uniqueKeysWithValues: allCases.map { script in
      let row = script.row
      return (script, Array((row.needsMemory ? "#!lua\n" : "#!lua flags=allow-oom\n").utf8) + row.parts.joined())
    })
}

// MARK: The table

extension RedisScript {
  private struct Row {
    var parts: [[UInt8]]
    var needsMemory = false

    init(_ parts: [UInt8]..., needsMemory: Bool = false) {
      self.parts = parts
      self.needsMemory = needsMemory
    }

    /// A change of a cart.
    ///
    /// - Parameter lines: where it has the SKUs of its lines among its arguments, the first of them and the distance of
    ///   the next: then nothing else of the cart need be read. A filter may name them, or not.
    static func change(lines: String = "nil", _ parts: [UInt8]..., needsMemory: Bool = false) -> Row {
      var row = Row(needsMemory: needsMemory)
      row.parts =
        [limits, Array("local first, step = \(lines)\n".utf8), PackageResources.line_lua, PackageResources.open_lua]
        + parts + [PackageResources.close_lua]
      return row
    }

    /// The domain's limits, as locals that the scripts find.
    private static let limits = Array(
      """
      local maximum_lines, maximum_total, large_line_threshold = \(Cart.maximumLines), \(Money.maximumTotal), \(CartHash.largeLineThreshold)
      local lifetime, renewal = \(Cart.guestLifetimeMilliseconds / 1000), \(Cart.renewalIntervalMilliseconds / 1000)

      """.utf8)
  }

  private var row: Row {
    typealias Lua = PackageResources
    return switch self {
    case .add: .change(lines: "9, \(ChangeArguments.perAddition)", Lua.rules_lua, Lua.add_lua, needsMemory: true)
    case .edit: .change(lines: "9, 1000", Lua.rules_lua, Lua.edit_lua)
    case .editWithData: .change(lines: "9, 1000", Lua.rules_lua, Lua.edit_lua, needsMemory: true)
    case .remove: .change(lines: "ARGV[10] == 'skus' and 11, 1", Lua.filter_lua, Lua.remove_lua, Lua.limit_lua)
    case .select: .change(lines: "ARGV[11] == 'skus' and 12, 1", Lua.filter_lua, Lua.select_lua, Lua.limit_lua)
    case .acknowledge: .change(Lua.rules_lua, Lua.filter_lua, Lua.acknowledge_lua, Lua.limit_lua, needsMemory: true)
    case .touch: .change(lines: "1000, 1000", Lua.touch_lua)
    case .apply: .change(Lua.rules_lua, Lua.apply_lua)
    case .leaseRestore: Row(Lua.lease_restore_lua)
    case .endLease: Row(Lua.end_lease_lua)
    case .install: Row(Lua.install_lua, needsMemory: true)
    case .reinstall: Row(Lua.install_lua)
    case .persisted: Row(Lua.persisted_lua)
    case .raise: Row(Lua.raise_lua)
    case .invalidate: Row(Lua.invalidate_lua)
    case .evict: Row(Lua.evict_lua)
    case .freeze: Row(Lua.freeze_lua)
    case .leaveTombstone: Row(Lua.leave_tombstone_lua)
    case .fill: Row(Lua.fill_lua, needsMemory: true)
    case .publish: Row(Lua.entry_lua, Lua.publish_lua, needsMemory: true)
    case .moveStock: Row(Lua.token_lua, Lua.entry_lua, Lua.move_stock_lua)
    case .advance: Row(Lua.token_lua, Lua.advance_lua)
    case .reset: Row(Lua.token_lua, Lua.reset_lua)
    case .registerHistory: Row(Lua.register_history_lua)
    case .supersede: Row(Lua.supersede_lua)
    case .closeGate: Row(Lua.close_gate_lua)
    case .setPressure: Row(Lua.set_pressure_lua)
    case .allowOOM: Row(Lua.allow_oom_lua)
    case .setAside: Row(Lua.set_aside_lua)
    case .claimTask: Row(Lua.claim_task_lua)
    case .registerSyncer: Row(Lua.register_syncer_lua)
    case .unregisterSyncer: Row(Lua.unregister_syncer_lua)
    }
  }
}
