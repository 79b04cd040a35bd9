/// A script with all that it is given.
struct RedisScriptCall {
  let script: RedisScript
  private let words: RedisCommand

  init(_ script: RedisScript, keys: [String], arguments: RedisCommand) {
    self.script = script
    var words = RedisCommand()
    words.append(keys.count)
    for key in keys { words.append(key) }
    words.append(words: arguments)
    self.words = words
  }

  func command(digest: [UInt8]) -> RedisCommand { command("EVALSHA", digest) }
  func command(source: [UInt8]) -> RedisCommand { command("EVAL", source) }

  private func command(_ name: String, _ script: [UInt8]) -> RedisCommand {
    var command = RedisCommand(name)
    command.append(script)
    command.append(words: words)
    return command
  }
}
