import CartStores
import Glibc

/// A file on whose contents the safety of the shop rests.
enum TrustedFile {
  enum Content {
    /// Only its owner, and at most its group, may read it.
    case secret
    /// Everybody may read it.
    case publicKey

    /// The rights that others must not have.
    fileprivate var forbiddenMode: mode_t {
      switch self {
      case .secret: 0o027
      case .publicKey: 0o022
      }
    }
  }

  private static let maximumBytes = 16_384

  /// - Parameter key: the setting that names the file, for the message.
  /// - Throws: if it can't be read, or others may do more with it than its content allows.
  static func read(_ path: String, for key: SettingKey, holds content: Content) throws(SettingsError) -> [UInt8] {
    var status = stat()
    guard unsafe stat(path, &status) == 0, let bytes = FileContents.read(path, limit: maximumBytes) else {
      throw SettingsError("\(key.rawValue): \(path) can't be read")
    }
    guard status.st_mode & content.forbiddenMode == 0 else {
      let (what, mode) = content == .secret ? ("read or change", "600") : ("change", "644")
      throw SettingsError("\(key.rawValue): others may \(what) \(path); chmod \(mode) it")
    }
    return bytes
  }
}
