internal import CProcess
internal import Glibc

/// Signals are blocked and read from a descriptor, between two requests: none interrupts a system call or libfcgi.
struct Signals: ~Copyable {
  let descriptor: Descriptor

  /// Blocks `numbers`, and SIGPIPE: a write to a closed connection is an error, no signal.
  init(_ numbers: [Int32]) throws(SystemError) {
    var set = sigset_t()
    unsafe sigemptyset(&set)
    for number in numbers { unsafe sigaddset(&set, number) }
    descriptor = Descriptor(
      try System.retrying("signalfd") { unsafe signalfd(-1, &set, Int32(SFD_CLOEXEC) | Int32(SFD_NONBLOCK)) }
    )
    unsafe sigaddset(&set, SIGPIPE)
    // libfcgi replaces the default and SIG_IGN by handlers of its own, but leaves ours alone.
    var action = sigaction()
    unsafe action.__sigaction_handler.sa_handler = { _ in }
    action.sa_flags = SA_RESTART
    for number in [SIGPIPE, SIGUSR1, SIGTERM] { unsafe sigaction(number, &action, nil) }
    unsafe sigprocmask(SIG_BLOCK, &set, nil)
  }

  /// The next signal that came, nil if none did.
  func next() -> Int32? {
    var information = signalfd_siginfo()
    let size = MemoryLayout<signalfd_siginfo>.size
    let count = unsafe read(descriptor.raw, &information, size)
    return count == size ? Int32(truncatingIfNeeded: information.ssi_signo) : nil
  }
}
