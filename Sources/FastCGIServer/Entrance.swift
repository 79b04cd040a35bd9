internal import Glibc

/// A listening socket with the park of those who take from it, in the master.
final class Entrance {
  let address: ListenAddress
  let listener: Descriptor
  let park: Park
  /// The socket was handed to this process: its file is not ours to remove.
  private let isInherited: Bool

  init(_ address: ListenAddress, _ configuration: Master.Configuration, inherited: Int32?) throws(SystemError) {
    self.address = address
    isInherited = inherited != nil
    if let inherited {
      try ListeningSocket.adopt(descriptor: inherited)
      listener = try Descriptor(inherited).high()
    } else {
      listener = try ListeningSocket.open(
        address,
        .init(mode: configuration.socketMode, owner: configuration.socketOwner, group: configuration.socketGroup),
        backlog: configuration.backlog)
    }
    let pair = try MessagePair()
    park = Park(receiving: pair.first, sending: pair.second)
  }

  /// No new connection finds the way. Those that have come are still taken.
  func close() {
    if case .unix(let path) = address, !isInherited { _ = unsafe unlink(path) }
  }
}
