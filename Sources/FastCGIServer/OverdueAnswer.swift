internal import CProcess

/// The answer for a request that passes its deadline, encoded before there is one: the worker that works on it cannot
/// be asked any more.
@safe final class OverdueAnswer {
  /// An answer as bytes that stay in one place, and where in them the request's own numbers and name go.
  @safe private final class Template {
    let bytes: UnsafeMutableBufferPointer<UInt8>
    let ids: [Int]
    let names: [Int]

    init(_ response: Response, name: [UInt8]) {
      var records = RecordWriter()
      response.write(to: &records, id: 1)
      let end = records.bytes.count
      records.reuseRefusal()
      let encoded = records.bytes
      unsafe bytes = .allocate(capacity: encoded.count)
      _ = unsafe bytes.initialize(from: encoded)
      var ids: [Int] = []
      var start = 0
      while start + RecordHeader.length <= end {
        ids.append(start + 2)
        start += RecordHeader.length + Int(encoded[start + 4]) << 8 + Int(encoded[start + 5]) + Int(encoded[start + 6])
      }
      self.ids = ids
      names = name.isEmpty ? [] : encoded.indices.filter { encoded[$0...].starts(with: name) }
    }

    deinit { unsafe bytes.deallocate() }

    func put(_ new: some Collection<UInt8>, at place: Int) {
      _ = unsafe UnsafeMutableBufferPointer(rebasing: bytes[place..<place + new.count]).update(from: new)
    }
  }

  /// The length of nginx's `$request_id`. Requests with a name of another length are answered without it.
  static let nameLength = 32
  private static let placeholder = String(repeating: "\u{40}", count: nameLength)

  private let named: Template
  private let nameless: Template
  private let deadline: Duration

  /// - Parameters:
  ///   - deadline: from a request's last byte to its answer.
  ///   - wording: the answer for a request of that name, or of none (empty).
  ///   - page: counts the requests that were answered so.
  init(deadline: Duration, wording: (String) -> Response, on page: ScorePage) throws(SystemError) {
    self.deadline = deadline
    named = Template(wording(Self.placeholder), name: Array(Self.placeholder.utf8))
    nameless = Template(wording(""), name: [])
    _ = try System.checked("timer_create", cprocess_deadline_init())
    let nanoseconds = UInt64(clamping: deadline.nanoseconds)
    let counted: [(Int32, UInt64)] = [
      (Score.overdueRequests, 1), (Score.requests, 1), (Score.route(0, status: 504), 1),
      (Score.latency(microseconds: nanoseconds / 1000), 1), (Score.duration, nanoseconds),
    ]
    for (word, amount) in counted { unsafe page.withWords { unsafe cprocess_deadline_count($0, word, amount) } }
  }

  deinit { cprocess_deadline_disarm() }

  /// - Parameter name: the request's, from outside.
  func arm(_ connection: Int32, id: UInt16, name: ArraySlice<UInt8>?, since start: Instant) {
    var template = nameless
    if let name, name.count == Self.nameLength, name.allSatisfy(Self.isPlain) {
      template = named
      for place in template.names { template.put(name, at: place) }
    }
    for place in template.ids {
      template.put([UInt8(truncatingIfNeeded: id >> 8), UInt8(truncatingIfNeeded: id)], at: place)
    }
    unsafe cprocess_deadline_arm(
      connection, (start + deadline).nanoseconds, (deadline / 2).nanoseconds, template.bytes.baseAddress,
      template.bytes.count)
  }

  func disarm() { cprocess_deadline_disarm() }

  /// Means the same in a header, in JSON and in HTML.
  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x5f: true
    default: false
    }
  }
}
