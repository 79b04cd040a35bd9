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
  case fill
  case publish
  case advance
  case reset

  /// The text for `EVAL` and `SCRIPT LOAD`.
  ///
  /// Its first line makes Redis refuse it before it runs where memory is out, the disk fails or Redis is a replica.
  var source: [UInt8] { Self.sources[self] ?? [] }

  private static let sources: [RedisScript: [UInt8]] = Dictionary(
    uniqueKeysWithValues: allCases.map { ($0, $0.composed) })

  private var composed: [UInt8] {
    let head = isAllowedWithoutMemory ? "#!lua flags=allow-oom\n" : "#!lua\n"
    return Array(head.utf8) + (opensCart ? PackageResources.prelude_lua : []) + body
  }

  private var isAllowedWithoutMemory: Bool {
    switch self {
    case .edit, .remove, .select, .touch, .advance, .reset: true
    case .add, .editWithData, .acknowledge, .fill, .publish: false
    }
  }

  private var opensCart: Bool {
    switch self {
    case .add, .edit, .editWithData, .remove, .select, .acknowledge, .touch: true
    case .fill, .publish, .advance, .reset: false
    }
  }

  private var body: [UInt8] {
    switch self {
    case .add: PackageResources.add_lua
    case .edit, .editWithData: PackageResources.edit_lua
    case .remove: PackageResources.remove_lua
    case .select: PackageResources.select_lua
    case .acknowledge: PackageResources.acknowledge_lua
    case .touch: PackageResources.touch_lua
    case .fill: PackageResources.fill_lua
    case .publish: PackageResources.publish_lua
    case .advance: PackageResources.advance_lua
    case .reset: PackageResources.reset_lua
    }
  }
}
