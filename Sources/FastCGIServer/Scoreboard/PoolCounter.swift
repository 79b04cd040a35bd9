/// A number of the pool that only grows. A case and its row are all that the status in each of its forms needs; the
/// counting is one call of `count(_:)`.
///
/// The raw value is the counter's word in a page of the scoreboard (`ScoreboardLayout.counters`). The order of the cases
/// is that of JSON and metrics.
package enum PoolCounter: Int32, CaseIterable, Sendable {
  case accepted = 36
  case requests = 32
  case reusedRequests = 33
  case reuseRefusals = 34
  case handoffs = 35
  case refused = 42
  case shed = 43
  case deadlinesExceeded = 44
  case slow = 46
  case bytesSent = 37
  case bytesReceived = 38
  case droppedLogLines = 45
  /// These three are counted by the master.
  case crashes = 47
  case recycles = 48
  case reloads = 49

  /// How the status shows a counter.
  struct Row {
    var jsonName: StaticString
    /// Without the prefix; nil: a family of its own has it, with labels.
    var metricName: String?
    var help: String
    /// Where the page shows it; nil: nowhere.
    var page: PageEntry?

    init(_ jsonName: StaticString, _ metricName: String?, _ help: String, _ page: PageEntry? = nil) {
      self.jsonName = jsonName
      self.metricName = metricName
      self.help = help
      self.page = page
    }
  }

  struct PageEntry {
    var section: PageSection
    var position: Int
    /// After the number.
    var text: String
  }

  enum PageSection {
    case requests, connections, trouble, master

    func entry(_ position: Int, _ text: String) -> PageEntry {
      PageEntry(section: self, position: position, text: text)
    }
  }

  var row: Row {
    switch self {
    case .accepted:
      Row(
        "accepted", "connections_accepted_total", "Connections accepted.", PageSection.connections.entry(0, "accepted"))
    case .requests:
      Row("requests", nil, "Requests by route and class of status.", PageSection.requests.entry(0, ""))
    case .reusedRequests:
      Row(
        "reusedRequests", "requests_reused_total", "Requests on a connection that had one before.",
        PageSection.requests.entry(1, "of them on a kept connection"))
    case .reuseRefusals:
      Row(
        "reuseRefusals", "reuse_refusals_total", "Answers that asked not to use the connection again.",
        PageSection.connections.entry(2, "not kept"))
    case .handoffs:
      // The names of the first version: a hand-off was called a hand-over.
      Row(
        "handOvers", "hand_overs_total", "Connections left for another worker.",
        PageSection.connections.entry(1, "handed over"))
    case .refused:
      Row(
        "refused", "requests_refused_total", "Requests that could not be read.",
        PageSection.trouble.entry(3, "unreadable"))
    case .shed:
      Row(
        "shed", "requests_shed_total", "Requests refused because they had waited too long.",
        PageSection.trouble.entry(2, "shed"))
    case .deadlinesExceeded:
      Row(
        "deadlinesExceeded", "deadlines_exceeded_total", "Requests ended at their deadline.",
        PageSection.trouble.entry(1, "over the deadline"))
    case .slow:
      Row(
        "slow", "slow_requests_total", "Requests over the limit of the slow log.", PageSection.trouble.entry(4, "slow"))
    case .bytesSent:
      Row("bytesSent", "sent_bytes_total", "Bytes of answers' bodies.")
    case .bytesReceived:
      Row("bytesReceived", "received_bytes_total", "Bytes of parameters and bodies.")
    case .droppedLogLines:
      Row("droppedLogLines", "log_lines_dropped_total", "Lines of the access log that could not be written.")
    case .crashes:
      Row("crashes", "worker_crashes_total", "Children that ended unasked.", PageSection.trouble.entry(0, "crashes"))
    case .recycles:
      Row(
        "recycles", "worker_recycles_total", "Workers that asked for a successor.",
        PageSection.master.entry(0, "recycles"))
    case .reloads:
      Row("reloads", "reloads_total", "Reloads that have begun.")
    }
  }

  /// Its key in the status as JSON.
  package var jsonName: StaticString { row.jsonName }

  /// What the page calls it, after the number; empty if it says the number alone or nothing.
  package var pageText: String { row.page?.text ?? "" }
}
