internal import CProcess

/// The answer to a request that passes its deadline, encoded in advance: a timer's signal handler sends it, since the
/// worker's own code may never return.
@safe final class TimeoutResponse {
  /// An answer as bytes at a fixed address, and the offsets in them of the request's ids and names.
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

    func put(_ new: some Collection<UInt8>, at offset: Int) {
      _ = unsafe UnsafeMutableBufferPointer(rebasing: bytes[offset..<offset + new.count]).update(from: new)
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
  ///   - response: the answer to a request of that name, or of none (empty).
  ///   - page: where such requests are counted.
  init(deadline: Duration, response: (String) -> Response, on page: ScoreboardPage) throws(SystemError) {
    self.deadline = deadline
    named = Template(response(Self.placeholder), name: Array(Self.placeholder.utf8))
    nameless = Template(response(""), name: [])
    _ = try System.checked("timer_create", cprocess_deadline_init())
    let nanoseconds = UInt64(clamping: deadline.nanoseconds)
    let counted: [(Int32, UInt64)] = [
      (PoolCounter.deadlinesExceeded.rawValue, 1), (PoolCounter.requests.rawValue, 1),
      (ScoreboardLayout.route(0, status: 504), 1),
      (ScoreboardLayout.latency(microseconds: nanoseconds / 1000), 1), (ScoreboardLayout.duration, nanoseconds),
    ]
    for (word, amount) in counted { unsafe page.withWords { unsafe cprocess_deadline_count($0, word, amount) } }
  }

  deinit { cprocess_deadline_disarm() }

  /// - Parameter name: the request's, from outside.
  func arm(_ connection: Int32, id: UInt16, name: ArraySlice<UInt8>?, since start: Instant) {
    var template = nameless
    if let name, name.count == Self.nameLength, name.allSatisfy(Self.isPlain) {
      template = named
      for offset in template.names { template.put(name, at: offset) }
    }
    for offset in template.ids {
      template.put([UInt8(truncatingIfNeeded: id >> 8), UInt8(truncatingIfNeeded: id)], at: offset)
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
