internal import Glibc

/// Where an import's bytes come from.
package protocol ImportSource: AnyObject {
  /// The next bytes; none at the end.
  func read() throws(ImportError) -> [UInt8]
}

/// Bytes in memory.
package final class ImportBytes: ImportSource {
  private var bytes: [UInt8]

  package init(_ bytes: [UInt8]) { self.bytes = bytes }

  package func read() -> [UInt8] {
    defer { bytes = [] }
    return bytes
  }
}

/// A file, read piece by piece. gzip is recognised by its first two bytes (RFC 1952) and undone by a gzip(1) beside
/// this process: no other library is needed for it.
package final class ImportFile: ImportSource {
  private static let pieceBytes = 1 << 16

  private let path: String
  private let descriptor: Int32
  private var gzip: pid_t?

  /// - Parameter path: `-` for standard input.
  package init(_ path: String) throws(ImportError) {
    self.path = path
    let file = path == "-" ? dup(0) : unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw Self.failure(path, errno) }
    var status = stat()
    if unsafe fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
      Glibc.close(file)
      throw Self.failure(path, EISDIR)
    }
    guard Self.isGzip(file) else {
      descriptor = file
      return
    }
    defer { Glibc.close(file) }
    (descriptor, gzip) = try Self.gunzip(file, path)
  }

  deinit {
    Glibc.close(descriptor)
    // A gzip whose output nobody reads any more ends by itself.
    if let gzip { _ = waitpid(gzip, nil, 0) }
  }

  package func read() throws(ImportError) -> [UInt8] {
    var failure: Int32 = 0
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: Self.pieceBytes) { buffer, count in
      var result: Int
      repeat {
        result = unsafe Glibc.read(descriptor, buffer.baseAddress, buffer.count)
      } while result < 0 && errno == EINTR
      if result < 0 { failure = errno }
      count = max(0, result)
    }
    if failure != 0 { throw Self.failure(path, failure) }
    if bytes.isEmpty { try checkGzip() }
    return bytes
  }

  /// A gzip that failed has sent a part only.
  private func checkGzip() throws(ImportError) {
    guard let process = gzip else { return }
    gzip = nil
    var status: Int32 = 0
    while unsafe waitpid(process, &status, 0) < 0 && errno == EINTR {}
    if status != 0 { throw ImportError.file("\(path): not a whole gzip file") }
  }

  private static func failure(_ path: String, _ code: Int32) -> ImportError {
    .file("\(path): \(unsafe String(cString: strerror(code)))")
  }

  private static func isGzip(_ file: Int32) -> Bool {
    var magic: [UInt8] = [0, 0]
    // A pipe can't be looked into, and is taken as it is.
    return unsafe pread(file, &magic, 2, 0) == 2 && magic == [0x1F, 0x8B]
  }

  private static func gunzip(_ file: Int32, _ path: String) throws(ImportError) -> (Int32, pid_t) {
    var pipe: [Int32] = [-1, -1]
    guard unsafe Glibc.pipe(&pipe) == 0 else { throw failure(path, errno) }
    defer { Glibc.close(pipe[1]) }
    for end in pipe { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_adddup2(&actions, file, 0)
    unsafe posix_spawn_file_actions_adddup2(&actions, pipe[1], 1)
    unsafe posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
    var process: pid_t = 0
    let code = unsafe withArguments(["gzip", "-dc"]) { arguments in
      unsafe posix_spawnp(&process, "gzip", &actions, nil, arguments, nil)
    }
    guard code == 0 else {
      Glibc.close(pipe[0])
      throw ImportError.file("\(path): gzip(1): \(unsafe String(cString: strerror(code)))")
    }
    return (pipe[0], process)
  }

  private static func withArguments<Answer>(
    _ arguments: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Answer
  ) -> Answer {
    let copies = unsafe arguments.map { unsafe strdup($0) } + [nil]
    defer { for index in unsafe copies.indices { unsafe free(copies[index]) } }
    return unsafe body(copies)
  }
}
