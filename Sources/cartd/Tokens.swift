import CartAPI
import CartStores

extension TokenConfiguration {
  /// `nil` if no algorithm is set: then tokens are not looked at.
  init?(_ settings: Settings) throws {
    let paths = settings[.tokenKeyFiles].split { $0 == " " || $0 == "," }.map(String.init)
    let name = settings[.tokenAlgorithm]
    if name.isEmpty {
      // Keys without an algorithm would check nothing, and nobody would notice.
      guard paths.isEmpty else {
        throw SettingsError("\(SettingKey.tokenKeyFiles.rawValue) needs \(SettingKey.tokenAlgorithm.rawValue)")
      }
      return nil
    }
    guard let algorithm = Algorithm(rawValue: name) else {
      let known = Algorithm.allCases.map(\.rawValue).joined(separator: ", ")
      throw SettingsError("\(SettingKey.tokenAlgorithm.rawValue): none of \(known)")
    }
    guard !paths.isEmpty else {
      throw SettingsError("\(SettingKey.tokenKeyFiles.rawValue): tokens need a key")
    }
    var files: [KeyFile] = []
    for path in paths {
      let contents = try TrustedFile.read(
        path, for: .tokenKeyFiles, holds: algorithm == .hs256 ? .secret : .publicKey)
      files.append(KeyFile(path: path, contents: contents))
    }
    try self.init(
      algorithm: algorithm, keyFiles: files, audience: settings[.tokenAudience], issuer: settings[.tokenIssuer],
      leeway: settings.integer(.tokenLeeway, in: 0...300))
  }
}
