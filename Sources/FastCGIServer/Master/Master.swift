internal import Glibc
package import Logging

/// The process that owns the listening socket and keeps the children running. It reads no request.
///
/// TERM and QUIT: graceful stop; INT: fast stop; HUP: reload; TTIN, TTOU: one worker more, less; USR1: reopen logs.
///
/// Under systemd it takes the sockets that it is given (`LISTEN_FDS`), by the names of roles, and notifies when it is ready
/// (`NOTIFY_SOCKET`).
package enum Master {
  package struct Configuration {
    package var listen: ListenAddress
    /// Of a unix socket: its mode, owner and group (by name; nil: as the process).
    package var socketMode: UInt32 = 0o660
    package var socketOwner: String?
    package var socketGroup: String?
    /// listen(2).
    package var backlog: Int32 = 511
    /// The program on disk that children run; it is looked up anew at each reload.
    package var executable: String
    package var roles: [ChildRole]
    /// Written once the socket is open, removed at the end.
    package var pidFile: String?
    /// After it, a graceful stop becomes a fast one.
    package var stopTimeout = Duration.seconds(30)
    /// For a child to announce that it is ready.
    package var startTimeout = Duration.seconds(30)
    /// Of the workers (`Limits.requestDeadline`): a worker still at a request some seconds later is killed; nil: none.
    package var requestDeadline: Duration?
    /// Connections that have waited longer to be accepted are answered 503: their clients may be gone, and others wait
    /// behind them.
    package var queueAge = Duration.seconds(5)
    /// Called at HUP before anything changes; false leaves the old generation in place.
    package var checkConfiguration: () -> Bool = { true }
    /// Called in the master on SIGUSR1; the children get the signal too.
    package var reopenLogs: () -> Void = {}

    package init(listen: ListenAddress, executable: String, roles: [ChildRole]) {
      self.listen = listen
      self.executable = executable
      self.roles = roles
    }
  }
}

extension Master {
  /// Opens the socket, starts the children and stays until it is told to stop and all of them have ended.
  ///
  /// - Throws: SystemError when the socket, the pid file or the program cannot be opened; `EADDRINUSE` when another
  ///   process serves there.
  package static func run(configuration: Configuration, logger: Logger) throws(SystemError) {
    let loop = try MasterLoop(configuration: configuration, logger: logger)
    try loop.run()
  }

  /// The file of the running program, for `Configuration.executable`. To be called at the start: later another file may
  /// be at that path.
  package static func executablePath() throws(SystemError) -> String {
    var bytes = [UInt8](repeating: 0, count: Int(PATH_MAX))
    let count = try System.retrying("readlink /proc/self/exe") {
      unsafe bytes.withUnsafeMutableBytes {
        guard let start = unsafe $0.bindMemory(to: CChar.self).baseAddress else { return 0 }
        return unsafe readlink("/proc/self/exe", start, $0.count)
      }
    }
    return String(decoding: bytes[..<count], as: UTF8.self)
  }
}
