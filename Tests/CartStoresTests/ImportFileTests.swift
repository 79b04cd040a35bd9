import Foundation
import Testing

@testable import CartStores

@Suite("Files to import")
struct ImportFileTests {
  private final class Folder {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent(RedisTesting.uniqueName("import-"))

    init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(at: url) }

    func file(_ name: String, _ bytes: [UInt8]) throws -> String {
      let path = url.appendingPathComponent(name).path
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      return path
    }

    func gzip(_ path: String) throws -> String {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      process.arguments = ["gzip", path]
      try process.run()
      process.waitUntilExit()
      return path + ".gz"
    }
  }

  private func contents(_ file: ImportFile) throws -> [UInt8] {
    var bytes: [UInt8] = []
    while true {
      let piece = try file.read()
      if piece.isEmpty { return bytes }
      bytes += piece
    }
  }

  private static let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 3) }

  @Test("are read whole, plain or compressed, whatever their name")
  func reading() throws {
    let folder = try Folder()
    let plain = try folder.file("a b.csv.gz", Self.bytes)
    #expect(try contents(ImportFile(plain)) == Self.bytes)
    let packed = try folder.gzip(folder.file("b", Self.bytes))
    #expect(try contents(ImportFile(packed)) == Self.bytes)
    #expect(try contents(ImportFile(folder.file("empty", []))) == [])
  }

  @Test("compressed ones that end early are an error, not a shorter file")
  func truncated() throws {
    let folder = try Folder()
    let packed = try folder.gzip(folder.file("b", Self.bytes))
    let whole = [UInt8](try Data(contentsOf: URL(fileURLWithPath: packed)))
    for count in [whole.count / 2, whole.count - 4, 2] {
      let cut = try folder.file("cut-\(count)", Array(whole.prefix(count)))
      let error = #expect(throws: ImportError.self) { _ = try contents(ImportFile(cut)) }
      #expect(error?.description == "\(cut): not a whole gzip file")
    }
  }

  @Test("one that is not read to its end leaves no process behind")
  func abandoned() throws {
    let folder = try Folder()
    let packed = try folder.gzip(folder.file("b", Self.bytes + Self.bytes))
    do {
      let file = try ImportFile(packed)
      #expect(try !file.read().isEmpty)
    }
    // It was waited for: no child is left to wait for, unless another test has one.
    let children = try? String(contentsOfFile: "/proc/self/task/\(getpid())/children", encoding: .utf8)
    for child in (children ?? "").split(separator: " ") {
      let name = (try? String(contentsOfFile: "/proc/\(child)/comm", encoding: .utf8)) ?? ""
      let command = (try? String(contentsOfFile: "/proc/\(child)/cmdline", encoding: .utf8)) ?? ""
      #expect(!(name.hasPrefix("gzip") && command.isEmpty))
    }
  }

  @Test("that can't be read are named")
  func unreadable() throws {
    let folder = try Folder()
    let missing = folder.url.appendingPathComponent("none").path
    let error = #expect(throws: ImportError.self) { _ = try ImportFile(missing) }
    #expect(error?.description == "\(missing): No such file or directory")
    #expect(throws: ImportError.self) { _ = try ImportFile(folder.url.path) }
  }
}
