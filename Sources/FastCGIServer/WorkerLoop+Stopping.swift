/// The end of a worker when the pool ends: what has come is finished.
extension WorkerLoop {
  /// How long a connection may stay without a request: a web server that has connected sends one at once.
  private static let firstByteTimeout = Duration.milliseconds(200)
  /// After that, new connections that keep coming no longer keep the worker from ending.
  private static let maximumListening = Duration.seconds(1)

  func finishStopping() {
    let now = System.now()
    let since = stoppingSince ?? now
    stoppingSince = since
    listenRetryAt = nil
    if isListening, isQueueEmpty() || now >= since + Self.maximumListening { stopListening() }
    if isListening { return }
    while let entry = handoffs?.dequeue() { hold(connection(entry), .reading) }
    let hasWaited = now >= since + Self.firstByteTimeout
    for connection in connections.values where connection.isBetweenRequests {
      // An idle connection ends now, a new one after its time-out.
      if (connection.deadline == nil || hasWaited) && !connection.descriptor.hasBytes() { drop(connection) }
    }
    if connections.isEmpty { mode = .ended }
  }
}
