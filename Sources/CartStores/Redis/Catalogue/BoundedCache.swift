/// Keeps the values used last, up to a fixed number of them. Every operation takes constant time.
///
/// The entries stand in one array and form a ring through it, from the one used last to the one used longest ago.
struct BoundedCache<Key: Hashable, Value> {
  private struct Entry {
    let key: Key
    var value: Value
    var newer: Int
    var older: Int
  }

  let capacity: Int
  private var entries: [Entry] = []
  private var positions: [Key: Int] = [:]
  /// The position of the entry used last; its `newer` is the one used longest ago.
  private var head = 0

  /// - Parameter capacity: 1 or more.
  init(capacity: Int) {
    precondition(capacity > 0)
    self.capacity = capacity
  }

  var count: Int { entries.count }

  /// The value, which thereby is the one used last; `nil` where there is none.
  mutating func value(for key: Key) -> Value? {
    guard let position = positions[key] else { return nil }
    promote(position)
    return entries[position].value
  }

  /// Keeps `value`; the one used longest ago makes room for it.
  mutating func insert(_ value: Value, for key: Key) {
    if let position = positions[key] {
      entries[position].value = value
      promote(position)
    } else if entries.count < capacity {
      let position = entries.count
      entries.append(Entry(key: key, value: value, newer: position, older: position))
      positions[key] = position
      if position > 0 { link(position) }
      head = position
    } else {
      let position = entries[head].newer
      positions[entries[position].key] = nil
      positions[key] = position
      entries[position] = Entry(
        key: key, value: value, newer: entries[position].newer, older: entries[position].older)
      head = position
    }
  }

  private mutating func promote(_ position: Int) {
    guard position != head else { return }
    entries[entries[position].newer].older = entries[position].older
    entries[entries[position].older].newer = entries[position].newer
    link(position)
    head = position
  }

  /// Puts an entry that is in no ring between the one used longest ago and the one used last.
  private mutating func link(_ position: Int) {
    let oldest = entries[head].newer
    entries[position].newer = oldest
    entries[position].older = head
    entries[oldest].older = position
    entries[head].newer = position
  }
}
