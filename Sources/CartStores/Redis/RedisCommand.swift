/// One command: its words, one after the other in one buffer.
struct RedisCommand: Sendable {
  private(set) var bytes: [UInt8] = []
  /// Where each word ends in ``bytes``.
  private(set) var ends: [Int] = []

  init() {}

  init(_ words: String...) {
    for word in words { append(word) }
  }

  mutating func append(_ word: String) {
    bytes.append(contentsOf: word.utf8)
    ends.append(bytes.count)
  }

  mutating func append(_ word: some Sequence<UInt8>) {
    bytes.append(contentsOf: word)
    ends.append(bytes.count)
  }

  /// Appends a number in decimal.
  mutating func append(_ number: some BinaryInteger) {
    append(String(number))
  }

  mutating func append(words: RedisCommand) {
    let start = bytes.count
    bytes.append(contentsOf: words.bytes)
    for end in words.ends { ends.append(start + end) }
  }
}
