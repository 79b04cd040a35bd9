import CartDomain

/// When periodic tasks are due. It stands in Redis: each task is done by one of all syncers, and a syncer that starts anew
/// does not begin all of them again.
final class TaskSchedule {
  /// A task that was handed out to this syncer.
  struct Claim {
    var task: PeriodicTask
    /// How often it has failed since it last succeeded.
    var failures: Int
    /// Where it goes on; `nil` at its beginning.
    var place: String?
  }

  /// A task that was handed out and not settled is handed out again after so long, in milliseconds.
  private static let abandonedAfter = 30_000

  private let connection: RedisConnection
  /// Of the monotonic clock: nothing is due before.
  private(set) var nextLook: Int64 = 0
  private static let longestPause: Int64 = 250

  init(_ connection: RedisConnection) { self.connection = connection }

  /// The task that is due for longest, which nobody else gets then; `nil` if none is.
  func claim() throws(StoreError) -> Claim? {
    if RedisClock.monotonic < nextLook { return nil }
    var arguments = RedisCommand(String(Self.abandonedAfter))
    for task in PeriodicTask.allCases {
      arguments.append(task.rawValue)
      arguments.append(task.longestWait)
    }
    let replies = try connection.evaluate(.claimTask, keys: [connection.keys.tasks], arguments: arguments, .idempotent)
    return try replies.read(0) { answer throws(StoreError) -> Claim? in
      if let pause = answer.integer {
        nextLook = RedisClock.monotonic + min(pause, Self.longestPause)
        return nil
      }
      var words: [String] = []
      for index in 0..<3 {
        words.append(try answer.element(index) { value throws(StoreError) in try value.string() } ?? "")
      }
      guard let task = PeriodicTask(rawValue: words[0]) else { throw .unexpectedReply }
      return Claim(task: task, failures: Int(words[1]) ?? 0, place: words[2].isEmpty ? nil : words[2])
    }
  }

  /// Says when a claimed task is due again.
  func reschedule(_ task: PeriodicTask, after pause: Int64, failures: Int = 0, place: String? = nil) throws(StoreError)
  {
    let due = connection.now.adding(milliseconds: pause).milliseconds
    let command = RedisCommand("HSET", connection.keys.tasks, task.rawValue, "\(due)|\(failures)|\(place ?? "")")
    try connection.runAllowingOOM(command, on: connection.keys.tasks).check(0)
  }
}

@available(*, unavailable)
extension TaskSchedule: Sendable {}
