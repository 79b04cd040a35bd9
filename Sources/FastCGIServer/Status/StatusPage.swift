/// The status as a page for a browser.
extension PoolStatus {
  /// A page of HTML that needs nothing else, and reloads itself every two seconds.
  package func page(title: String) -> [UInt8] {
    let facts: [(String, String)] = [
      (
        "workers",
        "\(workers.count): \(count(.idle)) idle, \(count(.busy)) busy, \(count(.starting)) starting, "
          + "\(count(.draining) + count(.stopped)) draining"
      ),
      ("listen queue", (listenQueue.map { "\($0)" } ?? "unknown") + " of \(listenQueueLimit)"),
      ("requests", counters(.requests)),
      ("connections", counters(.connections)),
      ("trouble", counters(.trouble)),
      ("master", "pid \(process), generation \(generation), up \(uptimeSeconds) s, " + counters(.master)),
    ]
    var text = """
      <!DOCTYPE html>
      <html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="2"><title>\(Self.escaped(title))</title>
      <style>body{font:15px/1.5 system-ui,sans-serif;margin:2em;max-width:70em}table{border-collapse:collapse;margin:1em 0}\
      th,td{text-align:left;padding:.2em 1.2em .2em 0;border-bottom:1px solid #ddd;font-variant-numeric:tabular-nums}\
      .busy{background:#fff3c4}.draining,.stopped,.starting{color:#777}</style></head>
      <body><h1>\(Self.escaped(title))</h1><table>

      """
    for (name, value) in facts { text += "<tr><th>\(name)</th><td>\(value)</td></tr>\n" }
    text +=
      "</table><table><tr><th>slot</th><th>pid</th><th>generation</th><th>state</th><th>stage</th><th>requests</th>"
    text += "<th>reused</th><th>in hand, ms</th><th>age, s</th><th>memory, KiB</th></tr>\n"
    for child in workers { text += Self.row(child) }
    text += "</table></body></html>\n"
    return Array(text.utf8)
  }

  private func counters(_ section: PoolCounter.PageSection) -> String {
    let entries = PoolCounter.allCases.compactMap { counter in counter.row.page.map { ($0, value(counter)) } }
    return entries.filter { $0.0.section == section }.sorted { $0.0.position < $1.0.position }
      .map { entry, value in entry.text.isEmpty ? "\(value)" : "\(value) \(entry.text)" }.joined(separator: ", ")
  }

  private static func row(_ child: Child) -> String {
    let memory: String = child.residentBytes.map { "\($0 / 1024)" } ?? ""
    let inHand: String = child.requestMicroseconds.map { "\($0 / 1000)" } ?? ""
    let cells: [String] = [
      "\(child.slot)", "\(child.process)", "\(child.generation)", "\(child.state)",
      child.stage == .none ? "" : "\(child.stage)", "\(child.requests)", "\(child.reusedRequests)",
      inHand, "\(child.ageSeconds)", memory,
    ]
    let row = cells.map { "<td>\($0)</td>" }.joined()
    return "<tr class=\"\(child.state)\">\(row)</tr>\n"
  }

  private static func escaped(_ text: String) -> String {
    var result = ""
    for character in text {
      switch character {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      default: result.append(character)
      }
    }
    return result
  }
}
