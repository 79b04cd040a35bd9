@testable import FastCGIServer

/// Building what a web server sends, right or wrong.
enum Records {
  static func record(
    _ type: UInt8, _ id: UInt16 = 1, _ content: [UInt8] = [], padding: Int = 0, version: UInt8 = 1, length: Int? = nil
  ) -> [UInt8] {
    let count = length ?? content.count
    return [
      version, type, UInt8(id >> 8), UInt8(id & 0xff), UInt8(count >> 8 & 0xff), UInt8(count & 0xff), UInt8(padding), 0,
    ] + content + [UInt8](repeating: 0, count: padding)
  }

  static func begin(_ id: UInt16 = 1, role: UInt16 = 1, keeps: Bool = false) -> [UInt8] {
    record(1, id, [UInt8(role >> 8), UInt8(role & 0xff), keeps ? 1 : 0, 0, 0, 0, 0, 0])
  }

  static func length(_ count: Int, long: Bool = false) -> [UInt8] {
    if count < 128 && !long { return [UInt8(count)] }
    return [UInt8(count >> 24 & 0x7f) | 0x80, UInt8(count >> 16 & 0xff), UInt8(count >> 8 & 0xff), UInt8(count & 0xff)]
  }

  static func pair(_ name: String, _ value: String, long: Bool = false) -> [UInt8] {
    length(name.utf8.count, long: long) + length(value.utf8.count, long: long) + name.utf8 + value.utf8
  }

  static func pairs(_ parameters: [(String, String)]) -> [UInt8] {
    parameters.flatMap { pair($0.0, $0.1) }
  }

  static func params(_ content: [UInt8], _ id: UInt16 = 1) -> [UInt8] { stream(4, content, id) }

  static func stdin(_ content: [UInt8], _ id: UInt16 = 1) -> [UInt8] { stream(5, content, id) }

  private static func stream(_ type: UInt8, _ content: [UInt8], _ id: UInt16) -> [UInt8] {
    var bytes: [UInt8] = []
    for start in stride(from: 0, to: content.count, by: 65535) {
      bytes += record(type, id, Array(content[start..<min(start + 65535, content.count)]))
    }
    return bytes + record(type, id)
  }

  /// A whole request; `CONTENT_LENGTH` is right unless given.
  static func request(
    _ parameters: [(String, String)] = [("REQUEST_METHOD", "GET")], body: [UInt8] = [], contentLength: String? = nil,
    id: UInt16 = 1, keeps: Bool = false
  ) -> [UInt8] {
    let all = parameters + [("CONTENT_LENGTH", contentLength ?? (body.isEmpty ? "" : "\(body.count)"))]
    return begin(id, keeps: keeps) + params(pairs(all), id) + stdin(body, id)
  }

  /// Reads `bytes` cut into pieces of `size`, until the bytes end or the connection would be closed.
  static func outcomes(
    _ bytes: [UInt8], pieces size: (Int) -> Int, limits: Limits = Limits()
  ) -> [RequestReader.Outcome] {
    var reader = RequestReader(limits: limits)
    var outcomes: [RequestReader.Outcome] = []
    var start = 0
    while start < bytes.count {
      let end = min(bytes.count, start + max(1, size(start)))
      var range = start..<end
      reading: while true {
        let outcome = reader.read(bytes, &range)
        switch outcome {
        case .incomplete: break reading
        case .refused, .unknownRole, .violation: return outcomes + [outcome]
        case .request, .aborted, .getValues, .unknownType: outcomes.append(outcome)
        }
      }
      start = end
    }
    return outcomes
  }

  static func outcomes(_ bytes: [UInt8], limits: Limits = Limits()) -> [RequestReader.Outcome] {
    outcomes(bytes, pieces: { _ in bytes.count }, limits: limits)
  }
}
