import CartDomain
import CartJSON

/// The client's own keys of two lines that become one.
enum JSONUnion {
  /// As long as the keys of one line may be.
  private static let longest = 1024

  /// Both objects' keys; the guest's win, and stand alone where both are too long together.
  static func unite(user: [UInt8], guest: [UInt8]) -> [UInt8] {
    guard let userDocument = try? JSONDocument(parsing: user.span),
      let guestDocument = try? JSONDocument(parsing: guest.span)
    else { return guest }
    let names = Set(userDocument.root.memberNames).union(guestDocument.root.memberNames)
    var writer = JSONWriter()
    writer.beginObject()
    for name in names.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
      writer.key(escaping: name)
      if let value = guestDocument.root.member(name) ?? userDocument.root.member(name) {
        writer.json(value.canonicalBytes[...])
      }
    }
    writer.endObject()
    return writer.bytes.count <= longest ? writer.bytes : guest
  }
}
