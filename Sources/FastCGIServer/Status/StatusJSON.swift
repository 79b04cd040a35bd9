/// The status as a program reads it.
extension PoolStatus {
  /// `{"pool":{…},"workers":[{…}]}`; numbers only grow, or tell how things are now, and null is what is not known.
  package var json: [UInt8] {
    var text = "{\"pool\":{" + pool.map { "\"\($0)\":\($1)" }.joined(separator: ",")
    text += "},\"workers\":["
    text += workers.map(Self.json).joined(separator: ",")
    text += "]}\n"
    return Array(text.utf8)
  }

  /// What there is to say about the pool as a whole.
  private var pool: [(String, String)] {
    [
      ("workers", "\(workers.count)"), ("idle", "\(count(.idle))"), ("busy", "\(count(.busy))"),
      ("starting", "\(count(.starting))"), ("draining", "\(count(.draining) + count(.stopped))"),
      ("listenQueue", listenQueue.map { "\($0)" } ?? "null"), ("listenQueueLimit", "\(listenQueueLimit)"),
      ("accepted", "\(counter(Score.accepted))"), ("requests", "\(counter(Score.requests))"),
      ("reusedRequests", "\(counter(Score.reusedRequests))"), ("reuseRefusals", "\(counter(Score.reuseRefusals))"),
      ("handOvers", "\(counter(Score.handOvers))"), ("refused", "\(counter(Score.refused))"),
      ("shed", "\(counter(Score.shed))"), ("deadlinesExceeded", "\(counter(Score.overdueRequests))"),
      ("slow", "\(counter(Score.slow))"), ("bytesSent", "\(counter(Score.bytesSent))"),
      ("bytesReceived", "\(counter(Score.bytesReceived))"), ("droppedLogLines", "\(counter(Score.droppedLogLines))"),
      ("crashes", "\(counter(Score.crashes))"), ("recycles", "\(counter(Score.recycles))"),
      ("reloads", "\(counter(Score.reloads))"), ("generation", "\(generation)"), ("pid", "\(process)"),
      ("uptimeSeconds", "\(uptimeSeconds)"),
    ]
  }

  private static func json(_ child: Child) -> String {
    "{\"slot\":\(child.slot),\"pid\":\(child.process),\"generation\":\(child.generation),"
      + "\"state\":\"\(child.state)\",\"stage\":\"\(child.stage)\",\"requests\":\(child.requests),"
      + "\"reusedRequests\":\(child.reusedRequests),\"accepted\":\(child.accepted),\"bytesSent\":\(child.bytesSent),"
      + "\"requestMicroseconds\":\(child.requestMicroseconds.map { "\($0)" } ?? "null"),"
      + "\"ageSeconds\":\(child.ageSeconds),\"rssBytes\":\(child.residentBytes.map { "\($0)" } ?? "null")}"
  }
}
