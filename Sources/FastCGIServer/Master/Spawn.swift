internal import CProcess
internal import Glibc

/// Starting a child: posix_spawn(3), nothing inherited but what is named here.
struct Spawn {
  /// The program's file, kept open so that a generation goes on with the binary that it began with, whatever is at the
  /// path by then.
  final class Program {
    let path: String
    private let file: Descriptor
    private let identity: stat

    init(path: String) throws(SystemError) {
      self.path = path
      let opened = Descriptor(try System.retrying("open \(path)") { unsafe open(path, O_RDONLY | O_CLOEXEC) })
      file = try opened.high()
      var identity = stat()
      let raw = file.raw
      _ = try System.retrying("fstat \(path)") { unsafe fstat(raw, &identity) }
      self.identity = identity
    }

    /// The path as long as it still leads to the same file, so that the child has the expected name.
    var executable: String {
      var present = stat()
      let isSame =
        unsafe stat(path, &present) == 0 && present.st_ino == identity.st_ino && present.st_dev == identity.st_dev
      return isSame ? path : "/proc/self/fd/\(file.raw)"
    }
  }

  var program: Program
  var arguments: [String]
  /// Name and value, in addition to this process's environment.
  var environment: [(String, String)]
  /// Which descriptor of this process becomes which of the child's. Sources must be above all targets. Beside them the
  /// child has standard output and error.
  var descriptors: [(source: Int32, target: Int32)]

  func run() throws(SystemError) -> Int32 {
    var actions = unsafe posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    unsafe posix_spawn_file_actions_init(&actions)
    unsafe posix_spawnattr_init(&attributes)
    defer {
      unsafe posix_spawn_file_actions_destroy(&actions)
      unsafe posix_spawnattr_destroy(&attributes)
    }
    for (source, target) in descriptors { unsafe posix_spawn_file_actions_adddup2(&actions, source, target) }
    prepare(&attributes)

    let argumentStrings = CStrings([program.path] + arguments)
    let variables = CStrings(inheritedEnvironment() + environment.map { "\($0.0)=\($0.1)" })
    var process: pid_t = 0
    let code = withExtendedLifetime((argumentStrings, variables)) {
      unsafe posix_spawn(
        &process, program.executable, &actions, &attributes, argumentStrings.pointers, variables.pointers)
    }
    if code != 0 { throw SystemError("posix_spawn \(program.path)", code) }
    return process
  }

  /// Default dispositions, nothing blocked, and a process group of its own, so that a terminal's Ctrl-C reaches the master alone.
  private func prepare(_ attributes: inout posix_spawnattr_t) {
    var none = sigset_t()
    var all = sigset_t()
    unsafe sigemptyset(&none)
    unsafe sigfillset(&all)
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setsigdefault(&attributes, &all)
    unsafe posix_spawnattr_setpgroup(&attributes, 0)
    unsafe posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))
  }

  private func inheritedEnvironment() -> [String] {
    let names = environment.map { "\($0.0)=" }
    var result: [String] = []
    var next = unsafe environ
    while let entry = unsafe next.pointee {
      let text = unsafe String(cString: entry)
      if !names.contains(where: { text.hasPrefix($0) }) { result.append(text) }
      unsafe next = next.advanced(by: 1)
    }
    return result
  }
}

/// An array of C strings that ends in NULL, as execve(2) takes it.
@safe private final class CStrings {
  let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
  private let count: Int

  init(_ strings: [String]) {
    count = strings.count
    unsafe pointers = .allocate(capacity: count + 1)
    for (index, string) in strings.enumerated() { unsafe (pointers + index).initialize(to: strdup(string)) }
    unsafe (pointers + count).initialize(to: nil)
  }

  deinit {
    for index in 0..<count { unsafe free(pointers[index]) }
    unsafe pointers.deallocate()
  }
}
