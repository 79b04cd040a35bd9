/// From the children that there are to those that there should be, one step at a time.
extension Pool {
  mutating func reconcile(_ now: Instant, _ actions: inout [Action]) {
    if phase == .stopping { return reconcileStop(now, &actions) }
    for role in roles.indices {
      retryDue(role, now, &actions)
      fill(role, now, &actions)
      replace(role, now, &actions)
      shrink(role, now, &actions)
    }
    finishReload(&actions)
  }

  /// New children belong to the old generation until a child of the new one has been ready.
  private var generationOfReplacements: Int { previousGeneration ?? generation }

  /// Slots of the role's children that are not leaving.
  private func current(_ role: Int) -> [Int] {
    slots.indices.filter {
      guard let child = slots[$0].child, child.role == role else { return false }
      if case .leaving = child.phase { return false }
      return true
    }
  }

  /// How many too few there are. The first child of an unproved generation does not count yet.
  private func missing(_ role: Int) -> Int {
    let counting = current(role).filter { previousGeneration == nil || slots[$0].child?.generation != generation }
    return counts[role] - counting.count
  }

  private func isOutdated(_ slot: Int) -> Bool {
    guard let child = slots[slot].child else { return false }
    return child.wantsReplacement || child.generation != generation
  }

  private mutating func retryDue(_ role: Int, _ now: Instant, _ actions: inout [Action]) {
    for slot in slots.indices {
      guard let retry = slots[slot].retry, retry.role == role, retry.at <= now else { continue }
      slots[slot].retry = nil
      if missing(role) > 0 { spawn(role, in: slot, generationOfReplacements, now, &actions) }
    }
  }

  private mutating func fill(_ role: Int, _ now: Instant, _ actions: inout [Action]) {
    let waiting = slots.count { $0.retry?.role == role }
    var missing = missing(role) - waiting
    // Of a role that may have only one child, the next is not started before the last has ended.
    if roles[role].replacement == .oldFirst, slots.contains(where: { $0.child?.role == role }) { missing = 0 }
    while missing > 0 {
      spawn(role, in: freeSlot(), generationOfReplacements, now, &actions)
      missing -= 1
    }
  }

  /// One at a time: the new one ready, then the old one told to drain.
  private mutating func replace(_ role: Int, _ now: Instant, _ actions: inout [Action]) {
    let current = current(role)
    let outdated = current.filter(isOutdated)
    guard let oldest = outdated.min(by: isOlder) else { return }
    switch roles[role].replacement {
    case .newFirst:
      let isUnderWay = current.contains { slots[$0].child?.phase != .serving }
      // Of an unproved generation only one child of each role starts.
      if current.count <= counts[role], !isUnderWay, !slots.contains(where: { $0.retry?.role == role }) {
        spawn(role, in: freeSlot(), generation, now, &actions)
      } else if current.count > counts[role], !isUnderWay {
        leave(oldest, .drain, now, &actions)
        replace(role, now, &actions)
      }
    case .oldFirst:
      if previousGeneration == nil { leave(oldest, .drain, now, &actions) }
    }
  }

  /// After TTOU: the newest slots go first, outdated children before others.
  private mutating func shrink(_ role: Int, _ now: Instant, _ actions: inout [Action]) {
    let current = current(role)
    if current.contains(where: isOutdated) {
      // The first one too many is the successor of an outdated child.
      guard current.count > counts[role] + 1, let slot = current.filter(isOutdated).last else { return }
      leave(slot, .drain, now, &actions)
      return shrink(role, now, &actions)
    }
    for slot in current.suffix(max(0, current.count - counts[role])) { leave(slot, .drain, now, &actions) }
  }

  private func isOlder(_ left: Int, _ right: Int) -> Bool {
    guard let one = slots[left].child, let other = slots[right].child else { return left < right }
    return (one.startedAt, left) < (other.startedAt, right)
  }

  private mutating func finishReload(_ actions: inout [Action]) {
    guard isReloading, previousGeneration == nil else { return }
    if slots.contains(where: { $0.child.map { $0.generation != generation } ?? false }) { return }
    if roles.indices.contains(where: { current($0).count < counts[$0] }) { return }
    isReloading = false
    actions.append(.note(.reloadFinished(generation: generation)))
  }

  private mutating func reconcileStop(_ now: Instant, _ actions: inout [Action]) {
    let isLastTurn = !slots.contains { $0.child.map { !roles[$0.role].stopsLast } ?? false }
    for slot in slots.indices {
      guard let child = slots[slot].child, isLastTurn || !roles[child.role].stopsLast else { continue }
      if case .leaving = child.phase { continue }
      leave(slot, .stop, now, &actions)
    }
    if !slots.contains(where: { $0.child != nil }) { actions.append(.finish) }
  }

  private mutating func leave(_ slot: Int, _ order: ControlChannel.Order, _ now: Instant, _ actions: inout [Action]) {
    guard let process = slots[slot].child?.process else { return }
    slots[slot].child?.phase = .leaving(until: now + stopTimeout)
    if process != 0 { actions.append(.order(process: process, order)) }
  }

  private mutating func spawn(
    _ role: Int, in slot: Int, _ generation: Int, _ now: Instant, _ actions: inout [Action]
  ) {
    slots[slot].child = Child(role: role, generation: generation, phase: .pending, startedAt: now)
    actions.append(.spawn(slot: slot, role: role, generation: generation))
  }

  private mutating func freeSlot() -> Int {
    if let free = slots.firstIndex(where: { $0.child == nil && $0.retry == nil }) { return free }
    slots.append(Slot())
    return slots.count - 1
  }
}
