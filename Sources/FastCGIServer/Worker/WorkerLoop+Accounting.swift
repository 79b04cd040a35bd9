internal import Logging

/// What is counted and logged of an answered request.
extension WorkerLoop {
  func account(_ request: Request?, _ response: Response, _ served: ServedRequest) {
    var served = served
    if let limit = configuration.slowRequest { served.isSlow = .nanoseconds(served.total) > limit }
    scoreboard.endRequest(isSlow: served.isSlow, isDraining: !handoff.isServing)
    let routes = configuration.routes
    let route = routes.indices.contains(response.route - 1) ? routes[response.route - 1] : ""
    if let accessLog, !accessLog.write(request, served, route: route, caller: response.caller) {
      scoreboard.count(.droppedLogLines)
    }
    if served.isSlow { logSlow(request, served, route) }
  }

  private func logSlow(_ request: Request?, _ served: ServedRequest, _ route: String) {
    func milliseconds(_ nanoseconds: Int64) -> Logger.MetadataValue { "\(nanoseconds / 1_000_000)" }
    let path = String(decoding: AccessLog.path(of: request).prefix(256), as: UTF8.self)
    logger.warning(
      "slow request",
      metadata: [
        "id": "\(String(decoding: request?.bytes("REQUEST_ID")?.prefix(64) ?? [], as: UTF8.self))",
        "path": "\(path)", "route": "\(route)", "status": "\(served.status)", "ms": milliseconds(served.total),
        "readingMs": milliseconds(served.reading), "applicationMs": milliseconds(served.application),
        "redisMs": milliseconds(served.redis), "postgresMs": milliseconds(served.postgres),
        "writingMs": milliseconds(served.writing),
      ])
  }

  /// True once: the worker has answered so many requests, or grown so large, that it should be replaced.
  func reachesLimit() -> Bool {
    served += 1
    if hasAskedForReplacement { return false }
    var wantsReplacement = maximumRequests.map { served >= $0 } ?? false
    // Memory grows slowly: it need not be read each time.
    if let maximum = configuration.maximumMemory, served % 64 == 1, let bytes = memory.resident() {
      wantsReplacement = wantsReplacement || bytes > maximum
    }
    hasAskedForReplacement = wantsReplacement
    return wantsReplacement
  }
}
