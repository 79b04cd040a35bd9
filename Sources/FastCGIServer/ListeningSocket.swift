internal import CProcess
internal import Glibc

/// The socket that the web server connects to.
enum ListeningSocket {
  /// Checks an inherited descriptor and makes it ready for `accept`.
  static func adopt(descriptor raw: Int32) throws(SystemError) {
    var isListening: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    let operation = "descriptor \(raw) as the listening socket"
    _ = try System.retrying(operation) { unsafe getsockopt(raw, SOL_SOCKET, SO_ACCEPTCONN, &isListening, &size) }
    if isListening == 0 { throw SystemError(operation, EINVAL) }
    let flags = try System.retrying(operation) { fcntl(raw, F_GETFL) }
    _ = try System.retrying(operation) { fcntl(raw, F_SETFL, flags | O_NONBLOCK) }
  }

  /// A connection, non-blocking and close-on-exec.
  static func accept(_ raw: Int32) throws(SystemError) -> Descriptor {
    Descriptor(try System.checked("accept", cprocess_accept(raw)))
  }
}
