/// One command: its arguments one after the other in one buffer, as the protocol writes them (RESP bulk strings).
struct RedisCommand: Sendable {
  private(set) var bytes: [UInt8] = []
  /// How many arguments ``bytes`` has, the name of the command among them.
  private(set) var count = 0

  init() { bytes.reserveCapacity(256) }

  init(_ arguments: String...) {
    self.init()
    for argument in arguments { append(argument) }
  }

  mutating func append(_ argument: String) {
    var argument = argument
    argument.withUTF8 { argument in unsafe append(argument) }
  }

  mutating func append(_ argument: some Collection<UInt8>) {
    begin(argument.count)
    bytes.append(contentsOf: argument)
    Self.endLine(&bytes)
  }

  /// Appends a number in decimal.
  mutating func append(_ number: some BinaryInteger) {
    let number = Int64(number)
    var length = number < 0 ? 2 : 1
    var rest = number.magnitude
    while rest >= 10 {
      rest /= 10
      length += 1
    }
    begin(length)
    bytes.append(decimal: number)
    Self.endLine(&bytes)
  }

  mutating func append(contentsOf other: RedisCommand) {
    count += other.count
    bytes.append(contentsOf: other.bytes)
  }

  /// The commands as they are sent.
  static func message(_ commands: [RedisCommand]) -> [UInt8] {
    var message: [UInt8] = []
    message.reserveCapacity(commands.reduce(0) { $0 + $1.bytes.count + 16 })
    for command in commands {
      message.append(UInt8(ascii: "*"))
      message.append(decimal: Int64(command.count))
      endLine(&message)
      message.append(contentsOf: command.bytes)
    }
    return message
  }

  private mutating func begin(_ length: Int) {
    count += 1
    bytes.append(UInt8(ascii: "$"))
    bytes.append(decimal: Int64(length))
    Self.endLine(&bytes)
  }

  private static func endLine(_ bytes: inout [UInt8]) {
    bytes.append(UInt8(ascii: "\r"))
    bytes.append(UInt8(ascii: "\n"))
  }
}
