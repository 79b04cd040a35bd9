package import Logging

/// One process that answers requests, one at a time, from the listening socket on descriptor 0: the FastCGI convention,
/// so that it runs under `Master`, spawn-fcgi or a systemd socket alike.
package enum Worker {
  package struct Configuration {
    package var limits = Limits()

    /// Words the answer to a request that does not reach the application.
    package var refuse: (Refusal) -> Response = { Response(status: $0.status, text: "\($0)\n") }

    /// Answered requests after which the worker asks its master for a successor; nil: never. The worker takes up to a
    /// fifth less, at random, so that not all go at once.
    package var maximumRequests: Int?

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
    let loop = try WorkerLoop(configuration: configuration, logger: logger, post: Post.inherited(), respond: respond)
    try loop.run()
  }
}
