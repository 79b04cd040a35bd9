import FastCGIServer
import Glibc
import Logging

/// The exit code for a command line or a configuration that can't be used (sysexits(3)).
let exitUsage: Int32 = 64

func complain(_ message: String) {
  let line = Array("cartd: \(message)\n".utf8)
  _ = unsafe write(STDERR_FILENO, line, line.count)
}

do {
  let flags = try Flags(CommandLine.arguments.dropFirst())
  if case .help = flags.role {
    print(Flags.usage, terminator: "")
    exit(0)
  }
  let configuration = try ServerConfiguration(flags)
  LoggingSystem.bootstrap { label in
    var handler = StandardErrorLog(label: label)
    handler.logLevel = configuration.logLevel
    return handler
  }
  switch flags.role {
  case .help: break
  case .check: exit(check(configuration) ? 0 : 1)
  case .syncer: try synchronise(configuration, logger: Logger(label: "cartd.syncer"))
  case .worker: try serve(configuration, logger: Logger(label: "cartd.worker"))
  case .master: try runMaster(configuration, flags: flags, logger: Logger(label: "cartd"))
  }
} catch let failure as SystemError {
  complain("\(failure)")
  exit(1)
} catch {
  complain("\(error)")
  exit(exitUsage)
}
