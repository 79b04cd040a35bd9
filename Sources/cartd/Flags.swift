import CartStores
import Glibc

/// What the command line asks for.
struct Flags {
  /// What this process is to be.
  enum Role {
    case master
    /// Answers what comes in on descriptor 0, as a worker or as the responder of `/ops`.
    case worker
    /// Carries changes to PostgreSQL.
    case syncer
    /// Tests configuration, rights and connections, and starts nothing.
    case check
    case help
  }

  /// A command line that can't be read.
  struct Invalid: Error, CustomStringConvertible {
    let description: String
  }

  private(set) var role = Role.master
  private(set) var configurationFile: String?
  private(set) var settings: [SettingKey: String] = [:]

  static let usage = """
    usage: cartd [options]

      --config FILE      read CART_* keys from FILE; flags win over the environment, the environment over FILE
      --listen ADDRESS   unix:/path or host:port (CART_LISTEN)
      --workers N        number of workers (CART_WORKERS)
      --pid-file FILE    where to write the master's pid (CART_PID_FILE)
      --log-level LEVEL  trace, debug, info, notice, warning, error or critical (CART_LOG_LEVEL)
      --check            test configuration, rights and connections; start nothing
      --syncer           carry changes from Redis to PostgreSQL; the master starts one by itself
      --responder        as --worker, for /ops: what the master starts beside its workers
      --worker           serve the listening socket on descriptor 0, as under spawn-fcgi
      --help             print this

    """

  /// - Parameter arguments: without the program's name. A value follows its option, or an `=` behind it.
  init(_ arguments: some Sequence<String>) throws(Invalid) {
    var rest = Array(arguments)[...]
    while let argument = rest.popFirst() {
      let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      switch argument {
      case "--check": role = .check
      case "--syncer": role = .syncer
      case "--worker", "--responder": role = .worker
      case "--help", "-h": role = .help
      default:
        guard Self.valued.contains(parts[0]) else { throw Invalid(description: "unknown option \(parts[0])") }
        guard let value = parts.count == 2 ? parts[1] : rest.popFirst() else {
          throw Invalid(description: "\(parts[0]) needs a value")
        }
        set(parts[0], value)
      }
    }
  }

  /// The arguments with which a child reads the same configuration.
  var childArguments: [String] {
    var arguments: [String] = []
    if let configurationFile { arguments += ["--config", configurationFile] }
    if let level = settings[.logLevel] { arguments += ["--log-level", level] }
    return arguments
  }

  private static let valued: Set = ["--config", "--listen", "--workers", "--pid-file", "--log-level"]

  private mutating func set(_ option: String, _ value: String) {
    switch option {
    case "--config": configurationFile = value
    case "--listen": settings[.listen] = value
    case "--workers": settings[.workers] = value
    case "--pid-file": settings[.pidFile] = value
    default: settings[.logLevel] = value
    }
  }
}
