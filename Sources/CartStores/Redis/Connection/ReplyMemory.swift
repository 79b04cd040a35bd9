import CHiredis
import Glibc

/// Where hiredis puts the replies of one exchange: a few pieces of memory that are given back together, in place of two
/// allocations for each word.
@safe final class ReplyMemory {
  private static let pieceBytes = 16 * 1024

  /// The first one stays.
  private var pieces: [UnsafeMutableRawPointer]
  private var next: UnsafeMutableRawPointer
  private var room = ReplyMemory.pieceBytes

  init() {
    unsafe next = .allocate(byteCount: Self.pieceBytes, alignment: 16)
    unsafe pieces = [next]
  }

  deinit {
    removeAll()
    unsafe pieces[0].deallocate()
  }

  /// Gives all of it back: no reply in it may be read any more.
  func removeAll() {
    while unsafe pieces.count > 1 { unsafe free(pieces.removeLast()) }
    unsafe next = pieces[0]
    room = Self.pieceBytes
  }

  /// Memory that holds zeros; `nil` where there is none.
  fileprivate func take(_ count: Int) -> UnsafeMutableRawPointer? {
    let rounded = (count + 15) & ~15
    if rounded > room {
      let size = max(rounded, Self.pieceBytes * 4)
      guard let piece = unsafe malloc(size) else { return nil }
      unsafe pieces.append(piece)
      unsafe next = piece
      room = size
    }
    let start = unsafe next
    unsafe next += rounded
    room -= rounded
    return unsafe memset(start, 0, count)
  }
}

@available(*, unavailable)
extension ReplyMemory: Sendable {}

// MARK: - For hiredis

extension ReplyMemory {
  /// Lets `reader` put what it reads from now on here. It keeps no reference.
  func attach(to reader: UnsafeMutablePointer<redisReader>) {
    unsafe reader.pointee.fn = Self.functions
    unsafe reader.pointee.privdata = Unmanaged.passUnretained(self).toOpaque()
  }

  /// They are called with what hiredis has checked; a null pointer tells it that memory is out.
  private nonisolated(unsafe) static let functions: UnsafeMutablePointer<redisReplyObjectFunctions> = {
    var functions = redisReplyObjectFunctions()
    unsafe functions.createString = { task, text, count in
      guard let (memory, reply) = unsafe ReplyMemory.reply(to: task), let copy = unsafe memory.take(count + 1) else {
        return nil
      }
      if let text = unsafe text { unsafe memcpy(copy, text, count) }
      unsafe reply.pointee.str = copy.assumingMemoryBound(to: CChar.self)
      unsafe reply.pointee.len = count
      return UnsafeMutableRawPointer(reply)
    }
    unsafe functions.createArray = { task, count in
      let count = Int(count)
      guard let (memory, reply) = unsafe ReplyMemory.reply(to: task),
        let elements = unsafe memory.take(count * MemoryLayout<UnsafeMutablePointer<redisReply>?>.stride)
      else { return nil }
      unsafe reply.pointee.element = elements.bindMemory(to: UnsafeMutablePointer<redisReply>?.self, capacity: count)
      unsafe reply.pointee.elements = count
      return UnsafeMutableRawPointer(reply)
    }
    unsafe functions.createInteger = { task, value in
      guard let (_, reply) = unsafe ReplyMemory.reply(to: task) else { return nil }
      unsafe reply.pointee.integer = value
      return UnsafeMutableRawPointer(reply)
    }
    unsafe functions.createNil = { task in
      guard let (_, reply) = unsafe ReplyMemory.reply(to: task) else { return nil }
      // The task is of the type that there might have been.
      unsafe reply.pointee.type = REDIS_REPLY_NIL
      return UnsafeMutableRawPointer(reply)
    }
    unsafe functions.freeObject = { _ in }
    let place = UnsafeMutablePointer<redisReplyObjectFunctions>.allocate(capacity: 1)
    unsafe place.initialize(to: functions)
    return unsafe place
  }()

  /// A reply of the task's type, put where it belongs in the array that it is part of.
  private static func reply(
    to task: UnsafePointer<redisReadTask>?
  ) -> (ReplyMemory, UnsafeMutablePointer<redisReply>)? {
    guard let task = unsafe task, let owner = unsafe task.pointee.privdata else { return nil }
    let memory = unsafe Unmanaged<ReplyMemory>.fromOpaque(owner).takeUnretainedValue()
    guard let place = unsafe memory.take(MemoryLayout<redisReply>.size) else { return nil }
    let reply = unsafe place.bindMemory(to: redisReply.self, capacity: 1)
    unsafe reply.pointee.type = task.pointee.type
    if let parent = unsafe task.pointee.parent?.pointee.obj {
      unsafe parent.assumingMemoryBound(to: redisReply.self).pointee.element[Int(task.pointee.idx)] = reply
    }
    return unsafe (memory, reply)
  }
}
