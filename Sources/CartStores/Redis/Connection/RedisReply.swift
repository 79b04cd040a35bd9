import CHiredis
import CartDomain

/// The answers to one pipeline of commands, and the memory in which they lie.
@safe struct RedisReplies: ~Copyable {
  private var roots: [UnsafeMutablePointer<redisReply>] = unsafe []
  let memory: ReplyMemory

  /// - Parameter memory: nobody else's as long as this lives.
  init(in memory: ReplyMemory) { self.memory = memory }

  deinit { memory.removeAll() }

  /// Takes in a reply that hiredis has put into ``memory``.
  mutating func adopt(_ pointer: UnsafeMutableRawPointer) {
    unsafe roots.append(pointer.assumingMemoryBound(to: redisReply.self))
  }

  /// Takes away the answer to a question that was put in front of somebody else's.
  mutating func dropFirst() { unsafe roots.removeFirst() }

  var count: Int { unsafe roots.count }

  /// Whether one of them is an error with one of `codes`.
  borrowing func haveError(_ codes: [String]) -> Bool {
    unsafe roots.contains { root in unsafe RedisValue(root).isError(codes) }
  }

  /// Whether an element of the last one, a transaction's answers, is an error with one of `codes`.
  borrowing func lastHasError(_ codes: [String]) -> Bool {
    guard let last = unsafe roots.last else { return false }
    let value = unsafe RedisValue(last)
    for index in 0..<(value.count ?? 0) {
      if (try? value.element(index) { element in element.isError(codes) }) == true { return true }
    }
    return false
  }

  /// Lends the reply to `body`.
  ///
  /// - Throws: what an error reply means, and what `body` throws.
  borrowing func read<Result>(
    _ index: Int, _ body: (borrowing RedisValue) throws(StoreError) -> Result
  ) throws(StoreError) -> Result {
    let value = unsafe RedisValue(roots[index])
    try value.check()
    return try body(value)
  }

  /// - Throws: what an error reply means.
  borrowing func check(_ index: Int) throws(StoreError) {
    try read(index) { _ in }
  }

  /// True where the reply is an error that begins with `code`.
  borrowing func isError(_ index: Int, code: String) -> Bool {
    unsafe RedisValue(roots[index]).errorMessage?.hasPrefix(code) ?? false
  }
}

/// One value of a reply, lent: it can't be copied, so it doesn't outlive the reply that owns its bytes.
@safe struct RedisValue: ~Copyable {
  private let reply: UnsafeMutablePointer<redisReply>

  fileprivate init(_ reply: UnsafeMutablePointer<redisReply>) { unsafe self.reply = reply }

  var isNull: Bool { unsafe reply.pointee.type == REDIS_REPLY_NIL }

  var integer: Int64? {
    unsafe reply.pointee.type == REDIS_REPLY_INTEGER ? Int64(reply.pointee.integer) : nil
  }

  /// The number of elements; `nil` where the value is not an array.
  var count: Int? { unsafe reply.pointee.type == REDIS_REPLY_ARRAY ? reply.pointee.elements : nil }

  /// Lends element `index` of an array to `body`.
  borrowing func element<Result>(
    _ index: Int, _ body: (borrowing RedisValue) throws(StoreError) -> Result
  ) throws(StoreError) -> Result {
    guard let count, index >= 0, index < count, let child = unsafe reply.pointee.element[index] else {
      throw .unexpectedReply
    }
    return try body(unsafe RedisValue(child))
  }

  /// Lends the names and values of an array in which they stand in turns to `body`.
  borrowing func forEachPair(
    _ body: (_ name: Span<UInt8>, _ value: borrowing RedisValue) throws(StoreError) -> Void
  ) throws(StoreError) {
    guard let count, count.isMultiple(of: 2) else { throw .unexpectedReply }
    for index in stride(from: 0, to: count, by: 2) {
      guard let name = unsafe reply.pointee.element[index], let value = unsafe reply.pointee.element[index + 1] else {
        throw .unexpectedReply
      }
      let lent: Void? = try unsafe RedisValue(name).withBytes { name throws(StoreError) in
        try body(name, unsafe RedisValue(value))
      }
      if lent == nil { throw .unexpectedReply }
    }
  }

  /// Lends the bytes of a string or status to `body`; `nil` for null.
  borrowing func withBytes<Result>(
    _ body: (Span<UInt8>) throws(StoreError) -> Result
  ) throws(StoreError) -> Result? {
    switch unsafe reply.pointee.type {
    case REDIS_REPLY_NIL: return nil
    case REDIS_REPLY_STRING, REDIS_REPLY_STATUS:
      let start = unsafe UnsafeRawPointer(reply.pointee.str)?.assumingMemoryBound(to: UInt8.self)
      let buffer = unsafe UnsafeBufferPointer(start: start, count: reply.pointee.len)
      return try body(unsafe buffer.span)
    default: throw .unexpectedReply
    }
  }

  /// A copy of the bytes; `nil` for null.
  borrowing func bytes() throws(StoreError) -> [UInt8]? {
    try withBytes { span in [UInt8](copying: span) }
  }

  /// The text; `nil` for null.
  borrowing func string() throws(StoreError) -> String? {
    try withBytes { span throws(StoreError) in
      guard let text = String(validating: span) else { throw .unexpectedReply }
      return text
    }
  }

  /// - Throws: what an error means that stands in the place of an answer.
  borrowing func check() throws(StoreError) {
    if let errorMessage { throw StoreError(redis: errorMessage) }
  }

  fileprivate func isError(_ codes: [String]) -> Bool {
    guard let errorMessage else { return false }
    return codes.contains { errorMessage.hasPrefix($0) }
  }

  var errorMessage: String? {
    guard unsafe reply.pointee.type == REDIS_REPLY_ERROR else { return nil }
    return unsafe String(
      decoding: UnsafeRawBufferPointer(start: reply.pointee.str, count: reply.pointee.len), as: UTF8.self)
  }
}
