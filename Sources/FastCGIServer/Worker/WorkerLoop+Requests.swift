internal import Glibc
internal import Logging

/// From the bytes of a connection to its answer.
extension WorkerLoop {
  /// Reads what a connection has; true if a request on it has been served.
  func receive(_ connection: Connection) -> Bool {
    let count: Int
    switch connection.descriptor.receive(into: &scratch) {
    case .wouldBlock:
      hold(connection, .reading)
      return false
    case .bytes(0), .failed:
      // The end of an idle connection, or of one whose request nothing is left to answer.
      drop(connection)
      return false
    case .bytes(let received):
      count = received
    }
    if connection.state == .discarding {
      connection.discarded += count
      if connection.discarded > configuration.limits.discardedBodyBytes { drop(connection) }
      return false
    }
    let wasBetweenRequests = connection.isBetweenRequests
    let hasServed = read(connection, 0..<count)
    if connection.state == .reading, !connection.isBetweenRequests, wasBetweenRequests {
      let now = System.now()
      connection.requestBegan = now
      if connection.deadline == nil { connection.deadline = now + configuration.limits.readDeadline }
    }
    return hasServed
  }

  private func read(_ connection: Connection, _ bytes: Range<Int>) -> Bool {
    var rest = bytes
    while true {
      switch connection.reader.read(scratch, &rest) {
      case .incomplete:
        hold(connection, .reading)
        return false
      case .request(let request):
        if connection.hasWaitedTooLong {
          scoreboard.count(.shed)
          refuse(connection, .overloaded, id: request.id)
          return false
        }
        serve(connection, request, isLast: !rest.isEmpty)
        return true
      case .refused(let refusal, let id):
        refuse(connection, refusal, id: id)
        return false
      case .unknownRole(let id):
        records.endRequest(id, .unknownRole)
        send(connection, then: .discard)
        return false
      case .aborted(let id, let keepsConnection):
        let keeps = keepsConnection && mayKeep() && rest.isEmpty
        records.endRequest(id, .requestComplete)
        send(connection, then: keeps ? .keep : .discard)
        return false
      case .getValues(let names):
        writeValues(names)
        if !answerManagement(connection) { return false }
      case .unknownType(let type):
        records.unknownType(type)
        if !answerManagement(connection) { return false }
      case .violation(let violation):
        logger.warning("connection closed: the peer breaks the protocol", metadata: ["how": "\(violation.rawValue)"])
        drop(connection)
        return false
      }
    }
  }

  // MARK: Requests

  /// `isLast`: more bytes than the request have come. No web server that waits for its answers does that; the
  /// connection is not used again.
  private func serve(_ connection: Connection, _ checked: RequestReader.CheckedRequest, isLast: Bool) {
    let start = begin(checked, on: connection)
    if mode == .serving {
      handOffNewConnection()
      handOffOthers(than: connection, since: start)
    }
    let (request, response) = answer(checked, on: connection, since: start)
    let answered = System.now()
    let waited = configuration.activity.waited
    var served = ServedRequest(
      status: response.status, bytes: response.sentBytes, route: response.route,
      reading: connection.requestBegan.map { max(0, start.nanoseconds &- $0.nanoseconds) } ?? 0,
      total: answered.nanoseconds &- start.nanoseconds, redis: waited[0], postgres: waited[1])
    connection.requestBegan = nil
    scoreboard.count(served)
    let keeps = checked.keepsConnection && !isLast && mayKeep()
    response.write(to: &records, id: checked.id)
    if checked.keepsConnection && !keeps {
      records.reuseRefusal()
      scoreboard.count(.reuseRefusals)
    }
    send(connection, then: keeps ? .keep : isLast ? .discard : .close)
    dropHandedOff()
    let end = System.now()
    served.total = end.nanoseconds &- start.nanoseconds
    served.writing = end.nanoseconds &- answered.nanoseconds
    account(request, response, served)
    if reachesLimit() { channel?.send(.wantsReplacement) }
  }

  private func begin(_ checked: RequestReader.CheckedRequest, on connection: Connection) -> Instant {
    let start = System.now()
    scoreboard.beginRequest(
      at: start, isReused: connection.hasServed, received: checked.parameters.count + checked.body.count,
      isDraining: mode != .serving)
    connection.hasServed = true
    configuration.activity.reset()
    return start
  }

  /// Nil and status 500 for a request that libfcgi refuses.
  private func answer(
    _ checked: RequestReader.CheckedRequest, on connection: Connection, since start: Instant
  ) -> (Request?, Response) {
    do {
      let request = try library.parse(checked)
      scoreboard.enter(Stage.application)
      timeoutResponse.arm(connection.raw, id: checked.id, name: request.bytes("REQUEST_ID"), since: start)
      defer { timeoutResponse.disarm() }
      return (request, respond(request))
    } catch {
      logger.error("libfcgi refused a request that was checked", metadata: ["error": "\(error)"])
      return (nil, Response(status: 500, text: "internal error\n"))
    }
  }

  /// Without a hand-off queue a kept connection might wait behind another's request.
  private func mayKeep() -> Bool {
    mode == .serving && handoffs != nil && isListening && isQueueEmpty()
  }

  func refuse(_ connection: Connection, _ refusal: Refusal, id: UInt16) {
    logger.info("request refused", metadata: ["why": "\(refusal)"])
    if refusal != .overloaded { scoreboard.count(.refused) }
    let response = configuration.refusalResponse(refusal)
    response.write(to: &records, id: id)
    records.reuseRefusal()
    send(connection, then: refusal == .overloaded ? .close : .discard)
  }

  // MARK: Management records

  /// FastCGI 1.0 §4.1: the variables asked for that are known here.
  private func writeValues(_ names: [UInt8]) {
    var content: [UInt8] = []
    for pair in NameValuePairs(names) {
      let name = String(decoding: names[pair.name], as: UTF8.self)
      let value: String
      switch name {
      case "FCGI_MAX_CONNS", "FCGI_MAX_REQS": value = "\(configuration.limits.connections)"
      case "FCGI_MPXS_CONNS": value = "0"
      default: continue
      }
      content.append(UInt8(name.utf8.count))
      content.append(UInt8(value.utf8.count))
      content += name.utf8
      content += value.utf8
    }
    records.record(.getValuesResult, 0, content)
  }

  /// These answers are small and the requests few: the connection of a peer that leaves no room for them is closed.
  /// False then.
  private func answerManagement(_ connection: Connection) -> Bool {
    defer { records.removeAll() }
    if connection.descriptor.send(records.bytes[...]) == .bytes(records.bytes.count) { return true }
    drop(connection)
    return false
  }

  // MARK: Answers

  /// Sends `records` in one write if the socket takes it, the rest as it takes it.
  private func send(_ connection: Connection, then ending: Connection.Ending) {
    connection.ending = ending
    connection.output = records.bytes[...]
    _ = flush(connection)
    records.removeAll()
  }

  /// Always false: no request is served by it.
  func flush(_ connection: Connection) -> Bool {
    while !connection.output.isEmpty {
      switch connection.descriptor.send(connection.output) {
      case .bytes(let count):
        connection.output = connection.output.dropFirst(count)
      case .wouldBlock:
        if connection.state != .writing {
          connection.state = .writing
          connection.deadline = System.now() + configuration.limits.writeDeadline
        }
        hold(connection, .writing)
        return false
      case .failed:
        drop(connection)
        return false
      }
    }
    connection.output = []
    finish(connection)
    return false
  }

  private func finish(_ connection: Connection) {
    switch connection.ending {
    case .keep:
      connection.state = .reading
      connection.deadline = nil
      hold(connection, .reading)
    case .close:
      _ = shutdown(connection.raw, Int32(SHUT_WR))
      drop(connection)
    case .discard:
      _ = shutdown(connection.raw, Int32(SHUT_WR))
      connection.state = .discarding
      connection.deadline = System.now() + configuration.limits.readDeadline
      hold(connection, .reading)
    }
  }
}
