/// FastCGI 1.0 §8: the types of records, by number.
enum RecordType: UInt8 {
  case beginRequest = 1
  case abortRequest = 2
  case endRequest = 3
  case params = 4
  case stdin = 5
  case stdout = 6
  case stderr = 7
  case data = 8
  case getValues = 9
  case getValuesResult = 10
  case unknownType = 11
}

/// FastCGI 1.0 §5.5: how a request ended.
enum ProtocolStatus: UInt8 {
  case requestComplete = 0
  case overloaded = 2
  case unknownRole = 3
}

/// FastCGI 1.0 §3.3: version, type, request id, content length, padding length, a reserved byte.
struct RecordHeader: Equatable {
  static let length = 8
  /// The longest content that leaves the next record aligned to eight bytes.
  static let maximumContent = 65528

  var version: UInt8 = 1
  var type: UInt8
  var requestID: UInt16
  var contentLength: UInt16
  var paddingLength: UInt8 = 0

  init(_ type: RecordType, _ requestID: UInt16, contentLength: Int) {
    self.type = type.rawValue
    self.requestID = requestID
    self.contentLength = UInt16(clamping: contentLength)
  }

  init(_ bytes: InlineArray<8, UInt8>) {
    version = bytes[0]
    type = bytes[1]
    requestID = UInt16(bytes[2]) << 8 | UInt16(bytes[3])
    contentLength = UInt16(bytes[4]) << 8 | UInt16(bytes[5])
    paddingLength = bytes[6]
  }
}

/// Bytes on their way to the peer, record by record.
struct RecordWriter {
  private(set) var bytes: [UInt8] = []

  mutating func removeAll() {
    // The memory of one large answer is given back.
    bytes.removeAll(keepingCapacity: bytes.capacity <= 128 * 1024)
  }

  private mutating func header(_ header: RecordHeader) {
    bytes.append(header.version)
    bytes.append(header.type)
    bytes.append(UInt8(truncatingIfNeeded: header.requestID >> 8))
    bytes.append(UInt8(truncatingIfNeeded: header.requestID))
    bytes.append(UInt8(truncatingIfNeeded: header.contentLength >> 8))
    bytes.append(UInt8(truncatingIfNeeded: header.contentLength))
    bytes.append(header.paddingLength)
    bytes.append(0)
  }

  /// One record with at most `RecordHeader.maximumContent` bytes.
  mutating func record(_ type: RecordType, _ id: UInt16, _ content: some Collection<UInt8>) {
    header(RecordHeader(type, id, contentLength: content.count))
    bytes += content
  }

  /// A whole stream: its records, and the empty one that ends it.
  mutating func stream(_ type: RecordType, _ id: UInt16, _ content: [UInt8]) {
    var start = 0
    while start < content.count {
      let end = min(start + RecordHeader.maximumContent, content.count)
      record(type, id, content[start..<end])
      start = end
    }
    header(RecordHeader(type, id, contentLength: 0))
  }

  /// A whole stream whose content is in two pieces; in one record, if it fits.
  mutating func stream(_ type: RecordType, _ id: UInt16, _ head: [UInt8], _ rest: [UInt8]) {
    if head.count + rest.count > RecordHeader.maximumContent { return stream(type, id, head + rest) }
    header(RecordHeader(type, id, contentLength: head.count + rest.count))
    bytes += head
    bytes += rest
    header(RecordHeader(type, id, contentLength: 0))
  }

  /// FastCGI 1.0 §5.1: a Responder, on a connection that is kept.
  mutating func beginRequest(_ id: UInt16) {
    record(.beginRequest, id, [0, 1, 1, 0, 0, 0, 0, 0])
  }

  mutating func endRequest(_ id: UInt16, _ status: ProtocolStatus) {
    record(.endRequest, id, [0, 0, 0, 0, status.rawValue, 0, 0, 0])
  }

  /// FastCGI 1.0 §4.2.
  mutating func unknownType(_ type: UInt8) {
    record(.unknownType, 0, [type, 0, 0, 0, 0, 0, 0, 0])
  }

  /// A valid record that follows END_REQUEST in the same write: bytes that nginx did not expect there keep it from
  /// caching the connection, and it logs no error.
  mutating func reuseRefusal() {
    unknownType(0)
  }

  /// Bytes that are no record.
  mutating func raw(_ content: [UInt8]) {
    bytes += content
  }
}
