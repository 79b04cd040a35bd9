/// A script with all that it is given.
struct RedisScriptCall {
  let script: RedisScript
  /// The number of keys, the keys, and then what is no key.
  private let keysAndArguments: RedisCommand

  init(_ script: RedisScript, keys: [String], arguments: RedisCommand) {
    self.script = script
    var all = RedisCommand()
    all.append(keys.count)
    for key in keys { all.append(key) }
    all.append(contentsOf: arguments)
    keysAndArguments = all
  }

  func command(digest: [UInt8]) -> RedisCommand { command("EVALSHA", digest) }
  func command(source: [UInt8]) -> RedisCommand { command("EVAL", source) }

  private func command(_ name: String, _ script: [UInt8]) -> RedisCommand {
    var command = RedisCommand(name)
    command.append(script)
    command.append(contentsOf: keysAndArguments)
    return command
  }
}
