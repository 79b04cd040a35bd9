/// The status for Prometheus: text exposition format 0.0.4.
extension PoolStatus {
  /// `text/plain; version=0.0.4`. Names begin with `prefix`.
  package func metrics(prefix: String) -> [UInt8] {
    var text = MetricsText(prefix: prefix)
    requests(&text)
    latencies(&text)
    for counter in PoolCounter.allCases {
      guard let name = counter.row.metricName else { continue }
      text.begin(name, "counter", counter.row.help)
      text.sample(name, "", "\(value(counter))")
    }
    text.begin("store_seconds_total", "counter", "Time that requests waited for a store.")
    text.sample("store_seconds_total", "store=\"redis\"", MetricsText.seconds(value(ScoreboardLayout.redis)))
    text.sample("store_seconds_total", "store=\"postgres\"", MetricsText.seconds(value(ScoreboardLayout.postgres)))
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

  private func requests(_ text: inout MetricsText) {
    text.begin("requests_total", "counter", PoolCounter.requests.row.help)
    for (index, name) in (["other"] + routes).enumerated().prefix(Int(ScoreboardLayout.maximumRoutes)) {
      for digit in 1...Int(ScoreboardLayout.statusClasses) {
        let value = value(ScoreboardLayout.route(index, status: digit * 100))
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
      let value = value(ScoreboardLayout.application + Int32(index))
      text.sample(
        metric.family + metric.suffix, metric.labels, metric.isTime ? MetricsText.seconds(value) : "\(value)")
    }
  }

  private func latencies(_ text: inout MetricsText) {
    let name = "request_duration_seconds"
    text.begin(name, "histogram", "From a complete request to its answer.")
    var sum: UInt64 = 0
    for (index, bound) in ScoreboardLayout.latencyBounds.enumerated() {
      sum &+= value(ScoreboardLayout.latencies + Int32(index))
      text.sample(name + "_bucket", "le=\"\(MetricsText.seconds(bound &* 1000))\"", "\(sum)")
    }
    sum &+= value(ScoreboardLayout.latencies + Int32(ScoreboardLayout.latencyBounds.count))
    text.sample(name + "_bucket", "le=\"+Inf\"", "\(sum)")
    text.sample(name + "_sum", "", MetricsText.seconds(value(ScoreboardLayout.duration)))
    text.sample(name + "_count", "", "\(sum)")
  }
}
