/// The status for Prometheus: text exposition format 0.0.4.
extension PoolStatus {
  /// `text/plain; version=0.0.4`. Names begin with `prefix`.
  package func metrics(prefix: String) -> [UInt8] {
    var text = MetricsText(prefix: prefix)
    requests(&text)
    latencies(&text)
    for metric in Self.counters {
      text.begin(metric.name, "counter", metric.help)
      text.sample(metric.name, "", "\(counter(metric.word))")
    }
    text.begin("store_seconds_total", "counter", "Time that requests waited for a store.")
    text.sample("store_seconds_total", "store=\"redis\"", MetricsText.seconds(counter(ScoreboardLayout.redis)))
    text.sample("store_seconds_total", "store=\"postgres\"", MetricsText.seconds(counter(ScoreboardLayout.postgres)))
    application(&text)
    text.begin("workers", "gauge", "Worker processes by state.")
    for state in [WorkerState.starting, .idle, .busy, .draining] {
      text.sample("workers", "state=\"\(state)\"", "\(count(state) + (state == .draining ? count(.stopped) : 0))")
    }
    text.begin("worker_resident_bytes", "gauge", "Resident memory of each worker.")
    for worker in workers {
      guard let bytes = worker.residentBytes else { continue }
      text.sample("worker_resident_bytes", "slot=\"\(worker.slot)\"", "\(bytes)")
    }
    if let listenQueue {
      text.gauge("listen_queue", "Connections that wait to be accepted.", listenQueue)
      text.gauge("listen_queue_limit", "Connections that may wait to be accepted.", listenQueueLimit)
    }
    text.gauge("generation", "Reloads that have begun.", generation)
    text.gauge("uptime_seconds", "Since the master's start.", uptimeSeconds)
    return text.bytes
  }

  private static let counters: [(name: String, word: Int32, help: String)] = [
    ("connections_accepted_total", ScoreboardLayout.accepted, "Connections accepted."),
    ("requests_reused_total", ScoreboardLayout.reusedRequests, "Requests on a connection that had one before."),
    ("reuse_refusals_total", ScoreboardLayout.reuseRefusals, "Answers that asked not to use the connection again."),
    ("hand_overs_total", ScoreboardLayout.handoffs, "Connections left for another worker."),
    ("requests_refused_total", ScoreboardLayout.refused, "Requests that could not be read."),
    ("requests_shed_total", ScoreboardLayout.shed, "Requests refused because they had waited too long."),
    ("deadlines_exceeded_total", ScoreboardLayout.deadlinesExceeded, "Requests ended at their deadline."),
    ("slow_requests_total", ScoreboardLayout.slow, "Requests over the limit of the slow log."),
    ("sent_bytes_total", ScoreboardLayout.bytesSent, "Bytes of answers' bodies."),
    ("received_bytes_total", ScoreboardLayout.bytesReceived, "Bytes of parameters and bodies."),
    ("log_lines_dropped_total", ScoreboardLayout.droppedLogLines, "Lines of the access log that could not be written."),
    ("worker_crashes_total", ScoreboardLayout.crashes, "Children that ended unasked."),
    ("worker_recycles_total", ScoreboardLayout.recycles, "Workers that asked for a successor."),
    ("reloads_total", ScoreboardLayout.reloads, "Reloads that have begun."),
  ]

  private func requests(_ text: inout MetricsText) {
    text.begin("requests_total", "counter", "Requests by route and class of status.")
    for (index, name) in (["other"] + routes).enumerated().prefix(Int(ScoreboardLayout.maximumRoutes)) {
      for digit in 1...Int(ScoreboardLayout.statusClasses) {
        let value = counter(ScoreboardLayout.route(index, status: digit * 100))
        if value == 0 { continue }
        text.sample("requests_total", "route=\"\(MetricsText.escaped(name))\",status=\"\(digit)xx\"", "\(value)")
      }
    }
  }

  private func application(_ text: inout MetricsText) {
    var family = ""
    for (index, metric) in applicationMetrics.enumerated() {
      if metric.family != family { text.begin(metric.family, metric.type, metric.help) }
      family = metric.family
      let value = counter(ScoreboardLayout.application + Int32(index))
      text.sample(
        metric.family + metric.suffix, metric.labels, metric.isTime ? MetricsText.seconds(value) : "\(value)")
    }
  }

  private func latencies(_ text: inout MetricsText) {
    let name = "request_duration_seconds"
    text.begin(name, "histogram", "From a complete request to its answer.")
    var sum: UInt64 = 0
    for (index, bound) in ScoreboardLayout.latencyBounds.enumerated() {
      sum &+= counter(ScoreboardLayout.latencies + Int32(index))
      text.sample(name + "_bucket", "le=\"\(MetricsText.seconds(bound &* 1000))\"", "\(sum)")
    }
    sum &+= counter(ScoreboardLayout.latencies + Int32(ScoreboardLayout.latencyBounds.count))
    text.sample(name + "_bucket", "le=\"+Inf\"", "\(sum)")
    text.sample(name + "_sum", "", MetricsText.seconds(counter(ScoreboardLayout.duration)))
    text.sample(name + "_count", "", "\(sum)")
  }
}

private struct MetricsText {
  let prefix: String
  private(set) var bytes: [UInt8] = []

  init(prefix: String) { self.prefix = prefix }

  mutating func begin(_ name: String, _ type: String, _ help: String) {
    bytes += "# HELP \(prefix)\(name) \(help)\n# TYPE \(prefix)\(name) \(type)\n".utf8
  }

  mutating func sample(_ name: String, _ labels: String, _ value: String) {
    bytes += "\(prefix)\(name)\(labels.isEmpty ? "" : "{\(labels)}") \(value)\n".utf8
  }

  mutating func gauge(_ name: String, _ help: String, _ value: Int) {
    begin(name, "gauge", help)
    sample(name, "", "\(value)")
  }

  static func seconds(_ nanoseconds: UInt64) -> String {
    let fraction = String(nanoseconds % 1_000_000_000)
    let padded = String(repeating: "0", count: 9 - fraction.utf8.count) + fraction
    let short = padded.utf8.reversed().drop { $0 == 0x30 }.reversed()
    let whole = nanoseconds / 1_000_000_000
    return short.isEmpty ? "\(whole)" : "\(whole)." + String(decoding: Array(short), as: UTF8.self)
  }

  static func escaped(_ label: String) -> String {
    var result = ""
    for scalar in label.unicodeScalars {
      switch scalar {
      case "\\": result += "\\\\"
      case "\"": result += "\\\""
      case "\n": result += "\\n"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
