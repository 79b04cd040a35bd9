package import CartDomain
import Glibc

/// What an operator wants to know of a Redis. What this user may not ask for is `nil`.
package struct RedisExamination: Sendable {
  package var version: String?
  package var isReplica: Bool?
  package var policy: String?
  /// Bytes.
  package var usedMemory: Int64?
  /// Bytes; 0 for no limit.
  package var maximumMemory: Int64?
  package var isAppending: Bool?
  /// False where the last write to disk failed.
  package var isDiskFine: Bool?
  /// `appendfsync` and `save`.
  package var appendSync: String?
  package var snapshots: String?
  /// Milliseconds by which its clock is ahead of this machine's.
  package var clockAhead: Int64 = 0
  /// Commands that this user may not run, and cartd and the syncer need.
  package var missingRights: [String] = []
  /// They were not tried.
  package var areRightsUnknown = false
  /// This user may not use keys of this prefix.
  package var areKeysForbidden = false
}

extension RedisConnection {
  /// Asks Redis for everything in ``RedisExamination``.
  ///
  /// - Parameter rights: whether commands that need a right are tried, on a key of their own, which is removed.
  package func examine(rights: Bool = true) throws(StoreError) -> RedisExamination {
    var found = RedisExamination()
    try readInfo(&found)
    try readConfiguration(&found)
    found.clockAhead = try askTime()
    found.areRightsUnknown = !rights
    if rights { try tryRights(&found) }
    return found
  }

  private func readInfo(_ found: inout RedisExamination) throws(StoreError) {
    guard let server = try info("server"), let memory = try info("memory"), let disk = try info("persistence"),
      let replication = try info("replication")
    else { return }
    found.version = server["redis_version"]
    found.isReplica = replication["role"].map { $0 != "master" }
    found.policy = memory["maxmemory_policy"]
    found.usedMemory = memory.integer("used_memory")
    found.maximumMemory = memory.integer("maxmemory")
    found.isAppending = disk["aof_enabled"].map { $0 == "1" }
    let states = ["rdb_last_bgsave_status", "aof_last_write_status", "aof_last_bgrewrite_status"].map { disk[$0] }
    found.isDiskFine = states.allSatisfy { $0 == nil || $0 == "ok" }
  }

  private func readConfiguration(_ found: inout RedisExamination) throws(StoreError) {
    func value(_ name: String) throws(StoreError) -> String? {
      let replies = try exchange(RedisCommand("CONFIG", "GET", name), .idempotent)
      if replies.isError(0, code: "NOPERM") || replies.isError(0, code: "ERR") { return nil }
      return try replies.read(0) { answer throws(StoreError) in
        guard answer.count == 2 else { return nil }
        return try answer.element(1) { value throws(StoreError) in try value.string() }
      }
    }
    found.appendSync = try value("appendfsync")
    found.snapshots = try value("save")
  }

  private func askTime() throws(StoreError) -> Int64 {
    let before = Self.realTime
    let replies = try exchange(RedisCommand("TIME"), .idempotent)
    let after = Self.realTime
    if replies.isError(0, code: "NOPERM") { return 0 }
    let time = try replies.read(0) { value throws(StoreError) in
      let parts = try [0, 1].map { index throws(StoreError) in
        try value.element(index) { part throws(StoreError) in try part.string() }.flatMap { Int64($0) } ?? 0
      }
      return parts[0] * 1_000 + parts[1] / 1_000
    }
    return time < before ? time - before : time > after ? time - after : 0
  }

  private static var realTime: Int64 {
    var time = timespec()
    _ = unsafe clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
  }

  // MARK: Rights

  private func tryRights(_ found: inout RedisExamination) throws(StoreError) {
    let key = keys.prefix + "cart:check:" + String(UInt64.random(in: .min ... .max), radix: 36)
    let hold = "\(keys.prefix)ld:{\(key)}"
    for words in Self.rights {
      var command = RedisCommand()
      for word in words { command.append(word == "KEY" ? key : word == "HOLD" ? hold : word) }
      let replies = try exchange(command, .idempotent)
      guard replies.isError(0, code: "NOPERM") else { continue }
      if Self.keyRefusals.contains(where: { replies.isError(0, code: $0) }) {
        found.areKeysForbidden = true
      } else {
        let isDivided = words[0] == "SCRIPT"
        found.missingRights.append(isDivided ? words[0] + "|" + words[1] : words[0])
      }
    }
    // It may be left within a transaction.
    if found.missingRights.contains("EXEC") { close() }
  }

  /// About the key, not the command: of Redis 7.0, and of later ones.
  private static let keyRefusals = [
    "NOPERM this user has no permissions to access one of the keys", "NOPERM No permissions to access a key",
  ]

  /// Every command of cartd, cartctl and the scripts, so that it does nothing that lasts.
  private static let rights: [[String]] = [
    ["PING"], ["TIME"], ["SCRIPT", "LOAD", "return 1"], ["EVAL", "return 1", "0"],
    ["EVALSHA", "0000000000000000000000000000000000000000", "0"], ["SCAN", "0", "COUNT", "1"],
    ["HSET", "KEY", "a", "1"], ["HSETNX", "KEY", "a", "1"], ["HGET", "KEY", "a"], ["HMGET", "KEY", "a"],
    ["HGETALL", "KEY"], ["HKEYS", "KEY"], ["HLEN", "KEY"], ["HSCAN", "KEY", "0"], ["HDEL", "KEY", "b"],
    ["EXPIRE", "KEY", "60"], ["EXPIREAT", "KEY", "99999999999"], ["PERSIST", "KEY"], ["EXISTS", "KEY"], ["DEL", "KEY"],
    ["ZADD", "KEY", "1", "a"], ["ZSCORE", "KEY", "a"], ["ZCARD", "KEY"],
    ["ZRANGE", "KEY", "-inf", "+inf", "BYSCORE", "LIMIT", "0", "1"], ["ZREM", "KEY", "a"], ["UNLINK", "KEY"],
    ["SET", "KEY", "1", "PX", "1000"], ["GET", "KEY"], ["MGET", "KEY", "HOLD"], ["UNLINK", "KEY"],
    ["SET", "HOLD", "1", "PX", "1000"], ["DEL", "HOLD"],
    ["XADD", "KEY", "1-1", "a", "b"], ["XREAD", "COUNT", "1", "STREAMS", "KEY", "0"],
    ["XRANGE", "KEY", "-", "+", "COUNT", "1"], ["XREVRANGE", "KEY", "+", "-", "COUNT", "1"], ["XLEN", "KEY"],
    ["XDEL", "KEY", "1-1"],
    ["UNLINK", "KEY"], ["MULTI"], ["EXEC"],
  ]
}
