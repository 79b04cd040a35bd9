/// The status as JSON.
extension PoolStatus {
  /// `{"pool":{…},"workers":[{…}]}`; counters only grow, the rest is as of now, and null is what is not known.
  package var json: [UInt8] {
    var text = "{\"pool\":{" + pool.map { "\"\($0)\":\($1)" }.joined(separator: ",")
    text += "},\"workers\":["
    text += workers.map(Self.json).joined(separator: ",")
    text += "]}\n"
    return Array(text.utf8)
  }

  private var pool: [(String, String)] {
    let now = [
      ("workers", "\(workers.count)"), ("idle", "\(count(.idle))"), ("busy", "\(count(.busy))"),
      ("starting", "\(count(.starting))"), ("draining", "\(count(.draining) + count(.stopped))"),
      ("listenQueue", listenQueue.map { "\($0)" } ?? "null"), ("listenQueueLimit", "\(listenQueueLimit)"),
    ]
    let counters = PoolCounter.allCases.map { ("\($0.jsonName)", "\(value($0))") }
    let master = [("generation", "\(generation)"), ("pid", "\(process)"), ("uptimeSeconds", "\(uptimeSeconds)")]
    return now + counters + master
  }

  private static func json(_ child: Child) -> String {
    "{\"slot\":\(child.slot),\"pid\":\(child.process),\"generation\":\(child.generation),"
      + "\"state\":\"\(child.state)\",\"stage\":\"\(child.stage)\",\"requests\":\(child.requests),"
      + "\"reusedRequests\":\(child.reusedRequests),\"accepted\":\(child.accepted),\"bytesSent\":\(child.bytesSent),"
      + "\"requestMicroseconds\":\(child.requestMicroseconds.map { "\($0)" } ?? "null"),"
      + "\"ageSeconds\":\(child.ageSeconds),\"rssBytes\":\(child.residentBytes.map { "\($0)" } ?? "null")}"
  }
}
