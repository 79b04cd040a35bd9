import CartJSON
import Foundation
import TestSupport
import Testing

/// What is one JSON text, and what the values of one say.
@Suite struct JSONDocuments {
  private func error(_ text: [UInt8], depth: Int = JSONDocument.defaultDepth) -> JSONError? {
    do throws(JSONError) {
      _ = try JSONDocument(parsing: text.span, maximumDepth: depth)
      return nil
    } catch {
      return error
    }
  }

  @Test(arguments: [
    ("", JSONError.Reason.empty), (" \n", .syntax), ("{", .syntax), ("{}}", .syntax), ("{} {}", .syntax),
    ("[1,]", .syntax), (#"{"a":1,}"#, .syntax), ("nul", .syntax), ("NaN", .syntax), ("01", .syntax), ("+1", .syntax),
    (".5", .syntax), ("1.", .syntax), ("0x1", .syntax), (#""\x""#, .syntax), (#""\u12""#, .syntax),
    ("\"tab\tinside\"", .syntax), ("{} // comment", .syntax), ("\u{FEFF}{}", .syntax),
    (#"{"a":1,"a":1}"#, .duplicateName),
    (#"{"a":1,"\u0061":2}"#, .duplicateName), (#"{"x":{"y":[{"z":1,"z":2}]}}"#, .duplicateName),
    ("9223372036854775808", .number), ("-9223372036854775809", .number), ("1e400", .number),
    (#""\ud800""#, .syntax), (#""\udc00\ud800""#, .syntax), (#""a\u0000b""#, .syntax), (#"{"\u0000":1}"#, .syntax),
  ])
  func whatIsNoText(text: String, reason: JSONError.Reason) {
    #expect(error(Array(text.utf8))?.reason == reason)
  }

  @Test(
    arguments: [[0xFF], [0xC3], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80], [0x80]] as [[UInt8]])
  func whatIsNotUTF8(bytes: [UInt8]) {
    #expect(error([0x22] + bytes + [0x22])?.reason == .notUTF8)
    #expect(error(bytes) != nil)
  }

  @Test func aNULIsNoEnd() {
    #expect(error([0x7B, 0x7D, 0x00]) != nil)
    #expect(error([0x00]) != nil)
    #expect(error([0x22, 0x61, 0x00, 0x22]) != nil)
  }

  @Test func depthAndSizeAreCapped() {
    func nested(_ depth: Int) -> [UInt8] {
      Array((String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).utf8)
    }
    #expect(error(nested(32)) == nil)
    #expect(error(nested(33))?.reason == .tooDeep)
    #expect(error(nested(33))?.offset == 32)
    #expect(error(nested(100_000))?.reason == .tooDeep)
    #expect(error(Array(#"["]]]]","[[[[\"[[","\\"]"#.utf8), depth: 1) == nil)
    let text = Array("[1,2]".utf8)
    #expect(throws: JSONError.self) { _ = try JSONDocument(parsing: text.span, maximumBytes: 4) }
  }

  @Test func valuesAreOfTheirKind() throws {
    let text = Array(#"{"o":{},"a":[1],"s":"é\n","i":-7,"r":2.0,"e":2e0,"t":true,"f":false,"n":null}"#.utf8)
    let document = try JSONDocument(parsing: text.span)
    // The values can't be copied into an expectation.
    func read<Content>(_ name: String, _ content: (borrowing JSONValue) -> Content?) -> Content? {
      guard let value = document.root.member(name) else { return nil }
      return content(value)
    }
    #expect(document.root.kind == .object)
    #expect(document.root.count == 9)
    #expect(document.root.memberNames == ["o", "a", "s", "i", "r", "e", "t", "f", "n"])
    #expect(read("s") { $0.string } == "é\n")
    #expect(read("i") { $0.integer } == -7)
    #expect(read("i") { $0.real } == nil)
    for name in ["r", "e"] {
      #expect(read(name) { $0.integer } == nil)
      #expect(read(name) { $0.real } == 2)
    }
    #expect(read("t") { $0.boolean } == true)
    #expect(read("f") { $0.boolean } == false)
    #expect(read("n") { $0.isNull } == true)
    #expect(read("n") { $0.boolean } == nil)
    #expect(read("a") { $0.element(0)?.integer } == 1)
    #expect(read("a") { $0.element(1)?.kind } == nil)
    #expect(read("a") { $0.element(-1)?.kind } == nil)
    #expect(read("absent") { $0.kind } == nil)
    #expect(read("a") { $0.member("o")?.kind } == nil)
    let first = document.root.element(0)?.kind
    #expect(first == nil)
  }

  @Test func aValueOutlivesItsDocument() throws {
    func inner() throws -> JSONValue? {
      try JSONDocument(parsing: Array(#"{"a":["kept"]}"#.utf8).span).root.member("a")
    }
    let text = try inner()?.element(0)?.string
    #expect(text == "kept")
  }

  @Test func canonicalBytesDoNotDependOnSpelling() throws {
    func canonical(_ text: String) throws -> String {
      String(decoding: try JSONDocument(parsing: Array(text.utf8).span).root.canonicalBytes, as: UTF8.self)
    }
    #expect(
      try canonical(#" { "b" : [ 1 , 2.50, {"z":1,"é":2,"a":null} ], "\u0061":"\u00e9\/\"\u0001" } "#)
        == #"{"a":"é/\"\u0001","b":[1,2.5,{"a":null,"z":1,"é":2}]}"#)
    #expect(try canonical("1.1") == "1.1")
    #expect(try canonical("1e2") == "100.0")
    #expect(try canonical("9223372036854775807") == "9223372036854775807")
    #expect(try canonical("-0") == "0")
    // Names differ by their bytes, also where Unicode calls them equivalent.
    #expect(try canonical("{\"e\u{301}\":1,\"\u{E9}\":2}") == "{\"e\u{301}\":1,\"\u{E9}\":2}")
  }

  @Test func whatTheWriterWritesIsReadBack() throws {
    var writer = JSONWriter(capacity: 1)
    writer.beginObject()
    writer.key("text")
    writer.string("\u{0}\u{1F}\"\\/\n\r\t\u{7F}\u{2028}🎁")
    writer.key("none")
    writer.string(nil)
    writer.key(escaping: "quoted \"name\"")
    writer.beginArray()
    for number in [0, -1, 7, 10, Int.max, Int.min] { writer.integer(number) }
    writer.integer(Int64(255))
    writer.integer(nil)
    writer.boolean(true)
    writer.real(.infinity)
    writer.real(0.1)
    writer.endArray()
    writer.key("empty")
    writer.beginObject()
    writer.members(of: [])
    writer.members(of: Array("{}".utf8))
    writer.endObject()
    writer.key("members")
    writer.beginObject()
    writer.key("own")
    writer.integer(1)
    writer.members(of: Array(#"{"more":[2]}"#.utf8))
    writer.endObject()
    writer.endObject()
    let expected: JSON = [
      "text": "\u{0}\u{1F}\"\\/\n\r\t\u{7F}\u{2028}🎁", "none": nil,
      "quoted \"name\"": [0, -1, 7, 10, .int(.max), .int(.min), 255, nil, true, nil, .real(0.1)],
      "empty": [:], "members": ["own": 1, "more": [2]],
    ]
    #expect(try JSON(writer.bytes) == expected)
  }

  @Test func canonicalBytesAreStableUnderRandomTexts() throws {
    var random = SeededRandom(seed: 20)
    var parsed = 0
    for _ in 0..<3_000 {
      var text = Array(RandomJSON.text(depth: 4, using: &random).utf8)
      if Bool.random(using: &random), !text.isEmpty {
        text[Int.random(in: 0..<text.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      guard error(text) == nil else { continue }
      parsed += 1
      let once = try JSONDocument(parsing: text.span).root.canonicalBytes
      #expect(try JSONDocument(parsing: once.span).root.canonicalBytes == once)
      #expect(try JSON(once) == JSON(text))
    }
    #expect(parsed > 1_000)
  }
}
