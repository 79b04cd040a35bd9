package import Logging

/// One process that answers requests, one at a time, from the listening socket on descriptor 0: the FastCGI convention,
/// so that it runs under `Master`, spawn-fcgi or a systemd socket alike.
package enum Worker {
  package struct Configuration {
    package var limits = Limits()

    /// The answer to a request that does not reach the application.
    package var refusalResponse: (Refusal) -> Response = { Response(status: $0.status, text: "\($0)\n") }

    /// The answer to a request that passes `Limits.requestDeadline`, asked for at the start: for a request of the name
    /// given (`REQUEST_ID`), or of none (empty).
    package var timeoutResponse: (String) -> Response = { _ in Response(status: 504, text: "deadline exceeded\n") }

    /// Answered requests after which the worker asks its master for a successor; nil: never. The worker takes up to a
    /// fifth less, at random, so that not all go at once.
    package var maximumRequests: Int?

    /// Resident memory in bytes after which the worker asks its master for a successor; nil: no limit.
    package var maximumMemory: Int?

    /// Names of what the application answers, for `Response.route`. At most 63.
    package var routes: [String] = []

    /// Through which the application reports what a request waits for.
    package var activity = Activity()

    /// For the work of the application that may not take all workers at once.
    package var limit = ConcurrencyLimit()

    /// A file for a line about each request; nil: none. A request ended at its deadline has none: the master logs it.
    package var accessLog: String?

    /// A request that takes longer is worth a line in the log; nil: none is.
    package var slowRequest: Duration?

    /// Called on SIGUSR1, between two requests.
    package var reopenLogs: () -> Void = {}

    package init() {}
  }
}

extension Worker {
  /// Serves until a master orders otherwise, or SIGTERM, SIGQUIT or SIGHUP comes; what has come by then is finished
  /// first. On SIGINT it returns after the request in hand.
  ///
  /// `respond` is called on this thread with one request after the other, with signals blocked.
  ///
  /// - Throws: SystemError when descriptor 0 is no listening socket, or the system gives no epoll or memory file.
  package static func run(
    configuration: Configuration = Configuration(), logger: Logger, respond: @escaping (Request) -> Response
  ) throws(SystemError) {
    let loop = try WorkerLoop(
      configuration: configuration, logger: logger, channel: ControlChannel.inherited(), respond: respond)
    try loop.run()
  }
}
