/// Reads the records of one connection, in pieces of any size, and returns a request only when all of it has come and all
/// of it is valid. It does no I/O.
///
/// Stricter than the specification asks: one request at a time, the Responder role, and no record that the web server
/// has no reason to send.
struct RequestReader {
  /// A complete request, its two streams put together.
  struct CheckedRequest: Equatable {
    var id: UInt16
    var keepsConnection: Bool
    var parameters: [UInt8]
    var body: [UInt8]
    var declaredBodyLength: Int?
    var isBodyTooLarge: Bool
  }

  enum Outcome: Equatable {
    /// All bytes were taken; more must come.
    case incomplete
    case request(CheckedRequest)
    /// To be answered without the application; what still comes is discarded.
    case refused(Refusal, id: UInt16)
    /// A role other than Responder.
    case unknownRole(id: UInt16)
    /// The web server cancelled its request (FastCGI 1.0 §5.4).
    case aborted(id: UInt16, keepsConnection: Bool)
    /// FastCGI 1.0 §4.1, answered with the variables asked for.
    case getValues([UInt8])
    /// FastCGI 1.0 §4.2: a management record of an unknown type.
    case unknownType(UInt8)
    /// It breaks the protocol: the connection is closed without an answer.
    case violation(Violation)
  }

  enum Violation: String, Equatable {
    case version = "unknown version"
    case type = "record of a type that a web server does not send"
    case order = "record out of order"
    case requestID = "wrong request id"
    case length = "wrong content length"
    case multiplexing = "second request on a connection in use"
    case tooMuchManagement = "too many management records"
    case bodyOverAllLimits = "body over all limits"
  }

  private enum Phase {
    case begin, parameters, body
  }

  /// Management records between the ends of two requests, and the content of one.
  static let managementRecords = 16
  static let managementBytes = 512

  private let limits: Limits
  private var phase = Phase.begin
  private var request = CheckedRequest(
    id: 0, keepsConnection: false, parameters: [], body: [], declaredBodyLength: nil, isBodyTooLarge: false)
  private var bodyLength = 0
  private var managementCount = 0

  private var headerBytes = InlineArray<8, UInt8>(repeating: 0)
  private var headerCount = 0
  /// Set while a record's content or padding is still to come.
  private var record: RecordHeader?
  private var contentLeft = 0
  private var paddingLeft = 0
  /// The content of a record that is only understood as a whole.
  private var content: [UInt8] = []

  init(limits: Limits) {
    self.limits = limits
  }

  /// The request under way, if its BEGIN_REQUEST has come.
  var requestID: UInt16? { phase == .begin ? nil : request.id }

  /// Nothing of a next request or record has come.
  var isBetweenRequests: Bool { phase == .begin && headerCount == 0 && record == nil }

  /// Takes bytes from `range`, from its start, until one outcome is reached or none are left; `range` then starts at the
  /// first byte not taken.
  mutating func read(_ bytes: [UInt8], _ range: inout Range<Int>) -> Outcome {
    while true {
      if record == nil {
        guard let header = readHeader(bytes, &range) else { return .incomplete }
        if let violation = check(header) { return .violation(violation) }
        record = header
        contentLeft = Int(header.contentLength)
        paddingLeft = Int(header.paddingLength)
      }
      if contentLeft > 0 {
        let count = min(contentLeft, range.count)
        if count == 0 { return .incomplete }
        let part = range.lowerBound..<(range.lowerBound + count)
        range = part.upperBound..<range.upperBound
        contentLeft -= count
        if let outcome = take(bytes, part) { return outcome }
        if contentLeft > 0 { return .incomplete }
      }
      let skipped = min(paddingLeft, range.count)
      range = (range.lowerBound + skipped)..<range.upperBound
      paddingLeft -= skipped
      if paddingLeft > 0 { return .incomplete }
      if let outcome = finishRecord() { return outcome }
    }
  }

  private mutating func readHeader(_ bytes: [UInt8], _ range: inout Range<Int>) -> RecordHeader? {
    while headerCount < RecordHeader.length {
      guard !range.isEmpty else { return nil }
      headerBytes[headerCount] = bytes[range.lowerBound]
      headerCount += 1
      range = (range.lowerBound + 1)..<range.upperBound
    }
    headerCount = 0
    return RecordHeader(headerBytes)
  }

  /// Whether a record may come now, judged by its header.
  private mutating func check(_ header: RecordHeader) -> Violation? {
    guard header.version == 1 else { return .version }
    let type = RecordType(rawValue: header.type)
    switch type {
    case .beginRequest:
      if header.requestID == 0 { return .requestID }
      if phase != .begin { return .multiplexing }
      return header.contentLength == 8 ? nil : .length
    case .params:
      return checkStream(header, phase: .parameters)
    case .stdin:
      return checkStream(header, phase: .body)
    case .abortRequest:
      // One that was sent before the end of its request arrived means nothing any more.
      if header.requestID == 0 || (phase != .begin && header.requestID != request.id) { return .requestID }
      return header.contentLength == 0 ? countManagement() : .length
    case .endRequest, .stdout, .stderr, .data:
      return .type
    case .getValues, .getValuesResult, .unknownType, nil:
      if header.requestID != 0 { return type == nil ? .type : .requestID }
      if Int(header.contentLength) > Self.managementBytes { return .length }
      return countManagement()
    }
  }

  private func checkStream(_ header: RecordHeader, phase expected: Phase) -> Violation? {
    if phase != expected { return .order }
    return header.requestID == request.id ? nil : .requestID
  }

  private mutating func countManagement() -> Violation? {
    managementCount += 1
    return managementCount > Self.managementRecords ? .tooMuchManagement : nil
  }

  /// Part of the content of the current record.
  private mutating func take(_ bytes: [UInt8], _ part: Range<Int>) -> Outcome? {
    switch record.flatMap({ RecordType(rawValue: $0.type) }) {
    case .params:
      if request.parameters.count + part.count > limits.parameterBytes {
        return refuse(.tooManyParameters)
      }
      request.parameters += bytes[part]
    case .stdin:
      return takeBody(bytes, part)
    default:
      content += bytes[part]
    }
    return nil
  }

  private mutating func takeBody(_ bytes: [UInt8], _ part: Range<Int>) -> Outcome? {
    bodyLength += part.count
    if let declared = request.declaredBodyLength, bodyLength > declared { return refuse(.bodyLengthMismatch) }
    if bodyLength > limits.discardedBodyBytes { return .violation(.bodyOverAllLimits) }
    if bodyLength > limits.bodyBytes {
      request.isBodyTooLarge = true
      request.body = []
    } else {
      request.body += bytes[part]
    }
    return nil
  }

  private mutating func finishRecord() -> Outcome? {
    guard let header = record else { return nil }
    record = nil
    defer { content.removeAll() }
    switch RecordType(rawValue: header.type) {
    case .beginRequest:
      return begin(header.requestID)
    case .params:
      return header.contentLength == 0 ? finishParameters() : nil
    case .stdin:
      return header.contentLength == 0 ? finishBody() : nil
    case .abortRequest:
      if phase == .begin { return nil }
      let outcome = Outcome.aborted(id: request.id, keepsConnection: request.keepsConnection)
      reset()
      return outcome
    case .getValues:
      return .getValues(content)
    default:
      return .unknownType(header.type)
    }
  }

  private mutating func begin(_ id: UInt16) -> Outcome? {
    guard content.count == 8 else { return .violation(.length) }
    let role = UInt16(content[0]) << 8 | UInt16(content[1])
    guard role == 1 else { return .unknownRole(id: id) }
    request.id = id
    request.keepsConnection = content[2] & 1 != 0
    phase = .parameters
    return nil
  }

  private mutating func finishParameters() -> Outcome? {
    do {
      request.declaredBodyLength = try ParameterCheck(request.parameters, limits: limits).declaredBodyLength
    } catch {
      return refuse(error.refusal)
    }
    if let declared = request.declaredBodyLength {
      request.body.reserveCapacity(min(declared, limits.bodyBytes))
    }
    phase = .body
    return nil
  }

  private mutating func finishBody() -> Outcome? {
    if let declared = request.declaredBodyLength, declared != bodyLength { return refuse(.bodyLengthMismatch) }
    let complete = request
    reset()
    return .request(complete)
  }

  private mutating func refuse(_ refusal: Refusal) -> Outcome {
    let id = request.id
    reset()
    return .refused(refusal, id: id)
  }

  private mutating func reset() {
    self = RequestReader(limits: limits)
  }
}
