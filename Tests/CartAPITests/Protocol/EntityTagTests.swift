import Testing

@testable import CartAPI

/// The hash in an `ETag`.
@Suite struct EntityTags {
  @Test(arguments: 0...40)
  func everyByteCounts(length: Int) {
    let body = [UInt8](repeating: 0x41, count: length)
    let tag = EntityTag(version: 7, body: body).text
    #expect(tag.hasPrefix("7-"))
    #expect(EntityTag(version: 7, body: body).text == tag)
    var others: Set<String> = [tag, EntityTag(version: 7, body: body + [0]).text]
    for index in body.indices {
      var other = body
      other[index] ^= 1
      others.insert(EntityTag(version: 7, body: other).text)
    }
    #expect(others.count == length + 2)
  }
}
