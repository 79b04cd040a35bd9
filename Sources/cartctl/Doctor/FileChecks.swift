import CartStores
import Glibc

/// The secret that guests' cookies are signed with.
enum SecretFile {
  static func findings(_ settings: Settings) -> [Finding] {
    var findings: [Finding] = []
    for key in [SettingKey.guestSecretFile, .oldGuestSecretFile] {
      let path = settings[key]
      if path.isEmpty { continue }
      var status = stat()
      guard unsafe stat(path, &status) == 0 else {
        let reason = unsafe String(cString: strerror(errno))
        findings.append(Finding(.failure, "guest secret", "\(key.rawValue): \(path): \(reason)", "make it, mode 600"))
        continue
      }
      let isOpen = status.st_mode & 0o027 != 0
      let mode = String(status.st_mode & 0o777, radix: 8)
      findings.append(
        Finding(
          isOpen ? .failure : .ok, "guest secret", "\(path), mode \(mode)",
          isOpen ? "chmod 600 it: who reads it can be any guest" : nil))
    }
    return findings
  }
}

/// A configuration of nginx, as text: what it includes is not followed but where it is cartd's own.
enum NginxFile {
  static func findings(_ path: String) -> [Finding] {
    guard let bytes = FileContents.read(path, limit: 4 << 20) else {
      return [Finding(.failure, "nginx", "\(path): \(unsafe String(cString: strerror(errno)))", "name its file")]
    }
    let words = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(uncommented)
    let text = words.joined(separator: "\n")
    var findings: [Finding] = []
    // cartd's own file has cartd-fastcgi.conf; the stock one forwards REMOTE_USER.
    for line in words where line.hasPrefix("include") && line.contains("fastcgi_params") {
      findings.append(
        Finding(
          .failure, "nginx", "includes the stock fastcgi_params: \(line)",
          "include cartd-fastcgi.conf in its place: fastcgi_params forwards a REMOTE_USER that nobody has verified"))
    }
    for line in words where line.hasPrefix("include") && line.contains("fastcgi.conf") && !line.contains("cartd-") {
      findings.append(
        Finding(
          .failure, "nginx", "includes the stock fastcgi.conf: \(line)", "include cartd-fastcgi.conf in its place"))
    }
    let passes = text.contains("fastcgi_pass")
    let isSet =
      text.contains("fastcgi_param CART_USER") || text.contains("cartd-fastcgi.conf")
      || text.contains("cartd.conf")
    if passes, !isSet {
      findings.append(
        Finding(
          .failure, "nginx", "passes requests on without CART_USER", "include cartd-fastcgi.conf, or set it to \"\""))
    }
    if let place = publicOperations(words) {
      findings.append(
        Finding(
          .warning, "nginx", "/ops is served where \"\(place)\" listens", "listen on 127.0.0.1, or allow and deny there"
        ))
    }
    if findings.isEmpty { findings.append(Finding(.ok, "nginx", path)) }
    return findings
  }

  /// A line without its comment, white space made single blanks.
  private static func uncommented(_ line: Substring) -> String {
    line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace).joined(separator: " ")
  }

  /// The `listen` of a server that serves /ops to everybody.
  private static func publicOperations(_ lines: [String]) -> String? {
    var (depth, start) = (0, 0)
    var (listens, servesOperations, isGuarded) = ([String](), false, false)
    for line in lines {
      let isServer = line.hasPrefix("server {") || line == "server" || line.hasPrefix("server{")
      if isServer { (start, listens, servesOperations, isGuarded) = (depth, [], false, false) }
      if line.hasPrefix("listen ") { listens.append(line) }
      if line.contains("cartd-ops.conf") || line.hasPrefix("location") && line.contains("/ops") {
        servesOperations = true
      }
      if line.hasPrefix("deny all") || line.hasPrefix("internal;") || line.hasPrefix("auth_basic ") { isGuarded = true }
      depth += line.count { $0 == "{" } - line.count { $0 == "}" }
      guard depth <= start, line.contains("}"), servesOperations, !isGuarded else { continue }
      let closed = ["127.", "localhost", "[::1]", "unix:", "10.", "192.168."]
      let open = listens.first { listen in !closed.contains { listen.hasPrefix("listen " + $0) } }
      if let open { return open }
      if listens.isEmpty { return "listen 80" }
      servesOperations = false
    }
    return nil
  }
}
