internal import Glibc
internal import Logging

/// From the bytes of a connection to its answer.
extension WorkerLoop {
  /// Reads what a connection has, and serves the request if it is complete.
  func receive(_ connection: Connection) {
    let count: Int
    switch connection.descriptor.receive(into: &scratch) {
    case .wouldBlock:
      return hold(connection, .reading)
    case .bytes(0), .failed:
      // The end of an idle connection, or of one whose request nothing is left to answer.
      return drop(connection)
    case .bytes(let received):
      count = received
    }
    if connection.state == .discarding {
      connection.discarded += count
      if connection.discarded > configuration.limits.discardedBodyBytes { drop(connection) }
      return
    }
    let wasBetweenRequests = connection.isBetweenRequests
    read(connection, 0..<count)
    if connection.state == .reading, !connection.isBetweenRequests, wasBetweenRequests {
      let now = System.now()
      connection.requestBegan = now
      if connection.deadline == nil { connection.deadline = now + configuration.limits.readDeadline }
    }
  }

  private func read(_ connection: Connection, _ bytes: Range<Int>) {
    var rest = bytes
    while true {
      switch connection.reader.read(scratch, &rest) {
      case .incomplete:
        return hold(connection, .reading)
      case .request(let request):
        if connection.hasWaitedTooLong {
          scoreboard.count(.shed)
          return refuse(connection, .overloaded, id: request.id)
        }
        return serve(connection, request, isLast: !rest.isEmpty)
      case .refused(let refusal, let id):
        return refuse(connection, refusal, id: id)
      case .unknownRole(let id):
        records.endRequest(id, .unknownRole)
        return send(connection, then: .discard)
      case .aborted(let id, let keepsConnection):
        let keeps = keepsConnection && mayKeep() && rest.isEmpty
        records.endRequest(id, .requestComplete)
        return send(connection, then: keeps ? .keep : .discard)
      case .getValues(let names):
        writeValues(names)
        if !answerManagement(connection) { return }
      case .unknownType(let type):
        records.unknownType(type)
        if !answerManagement(connection) { return }
      case .violation(let violation):
        logger.warning("connection closed: the peer breaks the protocol", metadata: ["how": "\(violation.rawValue)"])
        return drop(connection)
      }
    }
  }

  // MARK: Requests

  /// `isLast`: more bytes than the request have come. No web server that waits for its answers does that; the
  /// connection is not used again.
  private func serve(_ connection: Connection, _ checked: RequestReader.CheckedRequest, isLast: Bool) {
    let start = begin(checked, on: connection)
    requestInHand = (connection, start)
    handle(.requestBegan)
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
    requestInHand = nil
    let end = System.now()
    served.total = end.nanoseconds &- start.nanoseconds
    served.writing = end.nanoseconds &- answered.nanoseconds
    account(request, response, served)
    if reachesLimit() { channel?.send(.wantsReplacement) }
  }

  private func begin(_ checked: RequestReader.CheckedRequest, on connection: Connection) -> Instant {
    let start = System.now()
    scoreboard.beginRequest(
      at: start, isReused: connection.hasHadRequest, received: checked.parameters.count + checked.body.count,
      isDraining: !handoff.isServing)
    connection.hasHadRequest = true
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

  private func mayKeep() -> Bool { handoff.mayKeepConnections && isListenQueueEmpty() }

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
    flush(connection)
    records.removeAll()
  }

  func flush(_ connection: Connection) {
    while !connection.output.isEmpty {
      switch connection.descriptor.send(connection.output) {
      case .bytes(let count):
        connection.output = connection.output.dropFirst(count)
      case .wouldBlock:
        if connection.state != .writing {
          connection.state = .writing
          connection.deadline = System.now() + configuration.limits.writeDeadline
        }
        return hold(connection, .writing)
      case .failed:
        return drop(connection)
      }
    }
    connection.output = []
    finish(connection)
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
