/// From the children that there are to those that there should be, one step at a time.
extension Pool {
  mutating func reconcile(_ now: Instant, _ actions: inout [Action]) {
    if phase == .stopping { return reconcileStop(now, &actions) }
    for role in roles.indices {
      retryThoseWhoseTimeHasCome(role, now, &actions)
      fill(role, now, &actions)
      replace(role, now, &actions)
      shrink(role, now, &actions)
    }
    finishReload(&actions)
  }

  /// New children belong to the old generation as long as the new one has not proved itself.
  private var generationOfReplacements: Int { previousGeneration ?? generation }

  private func present(_ role: Int) -> [Int] {
    slots.indices.filter {
      guard let child = slots[$0].child, child.role == role else { return false }
      if case .leaving = child.phase { return false }
      return true
    }
  }

  /// How many there are too few. The first child of an unproved generation stands for nobody yet.
  private func missing(_ role: Int) -> Int {
    let counting = present(role).filter { previousGeneration == nil || slots[$0].child?.generation != generation }
    return counts[role] - counting.count
  }

  private func isOutdated(_ slot: Int) -> Bool {
    guard let child = slots[slot].child else { return false }
    return child.isTired || child.generation != generation
  }

  private mutating func retryThoseWhoseTimeHasCome(_ role: Int, _ now: Instant, _ actions: inout [Action]) {
    for slot in slots.indices {
      guard let retry = slots[slot].retry, retry.role == role, retry.at <= now else { continue }
      slots[slot].retry = nil
      if missing(role) > 0 { spawn(role, in: slot, generationOfReplacements, now, &actions) }
    }
  }

  private mutating func fill(_ role: Int, _ now: Instant, _ actions: inout [Action]) {
    let waiting = slots.count { $0.retry?.role == role }
    var missing = missing(role) - waiting
    // A single one is not started again before its predecessor has ended.
    if roles[role].handover == .oldFirst, slots.contains(where: { $0.child?.role == role }) { missing = 0 }
    while missing > 0 {
      spawn(role, in: freeSlot(), generationOfReplacements, now, &actions)
      missing -= 1
    }
  }

  /// One at a time: the new one ready, then the old one told to go.
  private mutating func replace(_ role: Int, _ now: Instant, _ actions: inout [Action]) {
    let present = present(role)
    let outdated = present.filter(isOutdated)
    guard let oldest = outdated.min(by: isOlder) else { return }
    switch roles[role].handover {
    case .newFirst:
      let isUnderWay = present.contains { slots[$0].child?.phase != .serving }
      // In the unproved generation only the candidate of this role starts.
      if present.count <= counts[role], !isUnderWay, !slots.contains(where: { $0.retry?.role == role }) {
        spawn(role, in: freeSlot(), generation, now, &actions)
      } else if present.count > counts[role], !isUnderWay {
        leave(oldest, .drain, now, &actions)
        replace(role, now, &actions)
      }
    case .oldFirst:
      if previousGeneration == nil { leave(oldest, .drain, now, &actions) }
    }
  }

  /// After TTOU: the newest slots go first, outdated children before others.
  private mutating func shrink(_ role: Int, _ now: Instant, _ actions: inout [Action]) {
    let present = present(role)
    if present.contains(where: isOutdated) {
      // The one too many is the successor of one of them; more than one is not.
      guard present.count > counts[role] + 1, let slot = present.filter(isOutdated).last else { return }
      leave(slot, .drain, now, &actions)
      return shrink(role, now, &actions)
    }
    for slot in present.suffix(max(0, present.count - counts[role])) { leave(slot, .drain, now, &actions) }
  }

  private func isOlder(_ left: Int, _ right: Int) -> Bool {
    guard let one = slots[left].child, let other = slots[right].child else { return left < right }
    return (one.startedAt, left) < (other.startedAt, right)
  }

  private mutating func finishReload(_ actions: inout [Action]) {
    guard isReloading, previousGeneration == nil else { return }
    if slots.contains(where: { $0.child.map { $0.generation != generation } ?? false }) { return }
    if roles.indices.contains(where: { present($0).count < counts[$0] }) { return }
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

  private mutating func leave(_ slot: Int, _ order: Post.Order, _ now: Instant, _ actions: inout [Action]) {
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
