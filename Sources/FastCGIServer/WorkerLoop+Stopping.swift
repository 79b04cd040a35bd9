/// The end of a worker after which nobody goes on: what has come is finished.
extension WorkerLoop {
  /// A web server that has connected sends its request at once; longer nobody waits for it.
  private static let patience = Duration.milliseconds(200)
  /// New connections that keep coming do not keep a worker for ever.
  private static let longestListening = Duration.seconds(1)

  func finishStopping() {
    let now = System.now()
    let since = stoppingSince ?? now
    stoppingSince = since
    listensAgainAt = nil
    if isListening, isQueueEmpty() || now >= since + Self.longestListening { stopListening() }
    if isListening { return }
    while let parked = park?.take() { hold(connection(parked), .reading) }
    let isOutOfPatience = now >= since + Self.patience
    for connection in connections.values where connection.isQuiet {
      // An idle connection ends now; a new one has a moment to say something.
      if (connection.deadline == nil || isOutOfPatience) && !connection.descriptor.hasBytes() { drop(connection) }
    }
    if connections.isEmpty { mode = .ended }
  }
}
