internal import Glibc

/// A process's resident memory, from /proc.
final class MemoryGauge {
  private var descriptor: Int32 = -1

  init() {}

  deinit { if descriptor >= 0 { _ = close(descriptor) } }

  /// Of this process, in bytes.
  func resident() -> Int? {
    if descriptor < 0 { descriptor = unsafe open("/proc/self/statm", O_RDONLY | O_CLOEXEC) }
    return Self.resident(descriptor)
  }

  /// Of another one; nil if there is none, or it may not be read.
  static func resident(of process: Int) -> Int? {
    if process <= 0 || process > Int(Int32.max) { return nil }
    let descriptor = unsafe open("/proc/\(process)/statm", O_RDONLY | O_CLOEXEC)
    if descriptor < 0 { return nil }
    defer { _ = close(descriptor) }
    return resident(descriptor)
  }

  private static func resident(_ descriptor: Int32) -> Int? {
    var bytes = [UInt8](repeating: 0, count: 128)
    let count = unsafe pread(descriptor, &bytes, bytes.count, 0)
    if count <= 0 { return nil }
    let fields = bytes[..<count].split(separator: 0x20)
    guard fields.count > 1, let pages = Int(String(decoding: fields[1], as: UTF8.self)) else { return nil }
    return pages.multipliedReportingOverflow(by: Int(getpagesize())).partialValue
  }
}
