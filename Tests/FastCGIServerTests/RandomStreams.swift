import Foundation
import TestSupport
import Testing

@testable import FastCGIServer

/// Streams of records that are mostly right, then damaged: what a fuzzer would find soonest.
struct RandomStream {
  private var generator: SeededRandom

  init(seed: UInt64) { generator = SeededRandom(seed: seed) }

  /// The next number below `bound`.
  private mutating func number(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &generator) }

  private mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(number(256)) } }

  mutating func next() -> [UInt8] {
    var stream: [UInt8] = []
    for _ in 0...number(3) { stream += part() }
    for _ in 0..<[0, 0, 1, 3][number(4)] where !stream.isEmpty { stream[number(stream.count)] = UInt8(number(256)) }
    if number(4) == 0, !stream.isEmpty { stream.removeSubrange(number(stream.count)...) }
    return stream
  }

  private mutating func part() -> [UInt8] {
    let id = UInt16([1, 1, 1, 2, 0, 65535][number(6)])
    switch number(8) {
    case 0...3: return request(id)
    case 4: return Records.record(9, 0, bytes(number(20)), padding: number(9))
    case 5: return Records.record(UInt8(number(14)), id, bytes(number(30)), padding: number(256))
    case 6: return Records.record(UInt8(number(256)), id, bytes(number(4)), length: number(65536))
    default: return bytes(number(40))
    }
  }

  private mutating func request(_ id: UInt16) -> [UInt8] {
    let body = [UInt8](repeating: UInt8(number(256)), count: [0, 0, 5, 300, 9000][number(5)])
    var parameters = (0..<number(12)).map { ("NAME_\($0)", String(repeating: "v", count: number(3) == 0 ? 200 : 5)) }
    if number(20) == 0 { parameters.append(("A=B", "")) }
    let length = [nil, nil, nil, "", "0", "12", "x"][number(7)]
    return Records.request(parameters, body: body, contentLength: length, id: id, keeps: number(2) == 0)
  }

  mutating func pieces() -> (Int) -> Int {
    let sizes = (0..<16).map { _ in [1, 2, 7, 8, 100, 5000][number(6)] }
    return { sizes[$0 % 16] }
  }

  /// How many streams a test tries; the long form sets FASTCGI_RANDOM_STREAMS.
  static func count(_ short: Int) -> Int {
    ProcessInfo.processInfo.environment["FASTCGI_RANDOM_STREAMS"].flatMap { Int($0) } ?? short
  }
}
