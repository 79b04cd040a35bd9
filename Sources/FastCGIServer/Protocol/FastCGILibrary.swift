internal import CFastCGI
internal import CProcess
internal import Glibc

/// libfcgi as the parser of requests that `RequestReader` has checked. It reads them from a file in memory and never sees
/// a socket, so it meets no broken connection and no signal.
@safe final class FastCGILibrary {
  enum Failure: Error {
    /// libfcgi refused what `RequestReader` let through.
    case disagreement(Int32)
    case system(SystemError)
  }

  /// A heap address that stays: the streams point back into it.
  private let handle: UnsafeMutablePointer<FCGX_Request>
  private var memory: Descriptor
  private var records = RecordWriter()
  private static let requestID: UInt16 = 1

  /// Signal dispositions must be set before: the library installs its own if there are none.
  init() throws(SystemError) {
    let code = FCGX_Init()
    if code != 0 { throw SystemError("FCGX_Init", code) }
    memory = try Self.memoryFile()
    unsafe handle = .allocate(capacity: 1)
    unsafe handle.initialize(to: FCGX_Request())
    _ = unsafe FCGX_InitRequest(handle, -1, 0)
  }

  deinit {
    // `close` 0: the file in memory is not the library's.
    unsafe FCGX_Free(handle, 0)
    unsafe handle.deallocate()
  }

  private static func memoryFile() throws(SystemError) -> Descriptor {
    Descriptor(try System.checked("memfd_create", unsafe cprocess_memory_file("fastcgi-request")))
  }

  /// Parameters and body, as libfcgi reads them.
  func parse(_ checked: RequestReader.CheckedRequest) throws(Failure) -> Request {
    do {
      try write(checked)
    } catch {
      throw .system(error)
    }
    unsafe handle.pointee.ipcFd = memory.raw
    unsafe handle.pointee.keepConnection = 1
    let code = unsafe FCGX_Accept_r(handle)
    guard code == 0 else {
      try replaceMemory()
      throw .disagreement(code)
    }
    // Not FCGX_Finish_r: that writes an answer.
    defer { unsafe FCGX_Free(handle, 0) }
    guard let body = body(count: checked.body.count) else {
      let code = unsafe FCGX_GetError(handle.pointee.in)
      throw .disagreement(code)
    }
    return request(checked, body: body)
  }

  private func write(_ checked: RequestReader.CheckedRequest) throws(SystemError) {
    records.removeAll()
    records.beginRequest(Self.requestID)
    records.stream(.params, Self.requestID, checked.parameters)
    records.stream(.stdin, Self.requestID, checked.body)
    // A header of version 0, so that nothing of an earlier, longer request could ever be read on.
    records.raw([0, 0, 0, 0, 0, 0, 0, 0])
    var start = 0
    while start < records.bytes.count {
      start += try System.retrying("pwrite") {
        unsafe records.bytes[start...].withUnsafeBytes {
          unsafe pwrite(memory.raw, $0.baseAddress, $0.count, off_t(start))
        }
      }
    }
    _ = try System.retrying("lseek") { lseek(memory.raw, 0, SEEK_SET) }
  }

  /// After an error the library has closed the file.
  private func replaceMemory() throws(Failure) {
    do {
      let fresh = try Self.memoryFile()
      let closed = exchange(&memory, with: fresh)
      _ = closed.release()
    } catch {
      throw .system(error)
    }
    unsafe handle.pointee.ipcFd = -1
  }

  private func body(count: Int) -> [UInt8]? {
    let stream = unsafe handle.pointee.in
    var received = 0
    let body = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      if count > 0, let start = buffer.baseAddress {
        unsafe start.withMemoryRebound(to: CChar.self, capacity: count) {
          received = unsafe Int(FCGX_GetStr($0, Int32(clamping: count), stream))
        }
      }
      initialized = received
    }
    let isAtEnd = unsafe FCGX_GetChar(stream) == -1 && FCGX_GetError(stream) == 0
    return received == count && isAtEnd ? body : nil
  }

  private func request(_ checked: RequestReader.CheckedRequest, body: [UInt8]) -> Request {
    var storage: [UInt8] = []
    var entries: [Request.Entry] = []
    storage.reserveCapacity(checked.parameters.count)
    entries.reserveCapacity(48)
    var next = unsafe handle.pointee.envp
    while let entry = unsafe next?.pointee {
      let start = storage.count
      unsafe storage.append(contentsOf: UnsafeRawBufferPointer(start: entry, count: strlen(entry)))
      // `RequestReader` lets no name with a `=` in it through, so the first one ends the name.
      let sign = unsafe strchr(entry, Int32(UInt8(ascii: "=")))
      let equals = unsafe sign.map { unsafe start + entry.distance(to: $0) } ?? storage.count
      entries.append(
        Request.Entry(name: start..<equals, value: min(equals + 1, storage.count)..<storage.count))
      unsafe next = next?.advanced(by: 1)
    }
    return Request(
      storage: storage, entries: entries, body: body, declaredBodyLength: checked.declaredBodyLength,
      isBodyTooLarge: checked.isBodyTooLarge)
  }
}
