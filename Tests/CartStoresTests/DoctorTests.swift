import CartDomain
import Foundation
import TestSupport
import Testing

@testable import CartStores

@Suite("cartctl doctor", .requiresPostgres, .requiresRedis)
struct DoctorTests {
  private typealias Findings = [String: (weight: String, text: String)]

  /// What it found, by subject.
  private func examine(
    _ bench: CommandBench, _ arguments: String..., environment: [String: String] = [:]
  ) throws -> (status: Int32, findings: Findings) {
    let result = try bench.run(["doctor", "--json"] + arguments, environment: environment)
    var findings: Findings = [:]
    for finding in result.list {
      findings[finding["subject"] as? String ?? ""] = (
        finding["weight"] as? String ?? "", finding["text"] as? String ?? ""
      )
    }
    return (result.status, findings)
  }

  @Test("A sound pair of stores has nothing wrong")
  func sound() throws {
    let server = try PrivateRedis(["--appendonly", "yes", "--maxmemory", "100mb"])
    let bench = try CommandBench()
    guard case .unix(let path) = server.address else { return }
    let (status, findings) = try examine(
      bench, environment: ["CART_REDIS": "unix:" + path, "CART_LISTEN": "unix:/nonexistent"])
    let bad = findings.filter { $0.value.weight == "warning" || $0.value.weight == "failure" }
    #expect(status == 1 && bad.map(\.key) == ["pool"], "nobody serves here: \(findings)")
    #expect(findings["Redis rights"]?.weight == "ok" && findings["PostgreSQL rights"]?.weight == "ok")
    #expect(findings["migrations"]?.weight == "ok" && findings["Redis durability"]?.weight == "ok")
    let keys = try RedisConnection(server.configuration()).list("KEYS", "*")
    #expect(keys.isEmpty, "it leaves nothing")
  }

  @Test("A Redis that may throw carts away, has no disk, or forbids commands")
  func redis() throws {
    let server = try PrivateRedis(["--maxmemory", "1mb", "--maxmemory-policy", "allkeys-lru"])
    let bench = try CommandBench()
    guard case .unix(let path) = server.address else { return }
    let connection = RedisConnection(server.configuration())
    let full = try examine(bench, environment: ["CART_REDIS": "unix:" + path])
    #expect(full.status == 1)
    #expect(full.findings["Redis eviction"]?.weight == "failure" && full.findings["Redis memory"]?.weight == "warning")
    #expect(full.findings["Redis durability"]?.weight == "warning")
    try connection.run(
      "ACL", "SETUSER", "shop", "on", "nopass", "~*", "+@all", "-info", "-config", "-xread", "-xrevrange")
    let limited = try examine(bench, environment: ["CART_REDIS": "unix:" + path, "CART_REDIS_USER": "shop"])
    #expect(limited.findings["Redis"]?.text.contains("INFO is forbidden") == true)
    #expect(limited.findings["Redis rights"]?.text == "missing: XREAD XREVRANGE", "\(limited)")
    try connection.run("ACL", "SETUSER", "shop", "+@all", "resetkeys", "~\(bench.redis.prefix)cart:*")
    let fenced = try examine(bench, environment: ["CART_REDIS": "unix:" + path, "CART_REDIS_USER": "shop"])
    #expect(fenced.findings["Redis rights"]?.text.contains("all keys behind the prefix") == true, "\(fenced)")
  }

  @Test("Missing migrations, a secret that others read, and an nginx that forwards what nobody verified")
  func rest() throws {
    let bench = try CommandBench(migrated: false)
    let secret = bench.folder.appendingPathComponent("secret").path
    try Data("x".utf8).write(to: URL(fileURLWithPath: secret))
    try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: secret)
    let nginx = bench.folder.appendingPathComponent("nginx.conf").path
    let text = """
      server {
        listen 80;
        location /v1/ { fastcgi_pass unix:/x; }
        include fastcgi_params;  # forwards REMOTE_USER
        include snippets/cartd-ops.conf;
      }
      """
    try Data(text.utf8).write(to: URL(fileURLWithPath: nginx))
    let (status, findings) = try examine(
      bench, "--nginx", nginx, environment: ["CART_GUEST_SECRET_FILE": secret])
    #expect(status == 1)
    #expect(findings["migrations"]?.weight == "failure" && findings["guest secret"]?.weight == "failure")
    let plain = try bench.run("doctor", "--nginx", nginx).output
    for word in ["stock fastcgi_params", "without CART_USER", "/ops is served where \"listen 80;\" listens"] {
      #expect(plain.contains(word), "\(word)")
    }
    let (_, away) = try examine(bench, environment: ["CART_REDIS": "unix:/nonexistent"])
    #expect(away["Redis"]?.weight == "failure")
  }

  @Test("The project's own nginx files are in order")
  func ownFiles() throws {
    let bench = try CommandBench()
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    for name in ["example.conf", "cartd.conf", "cartd-fastcgi.conf"] {
      let file = root.appendingPathComponent("nginx").appendingPathComponent(name).path
      #expect(try examine(bench, "--nginx", file).findings["nginx"]?.weight == "ok", "\(name)")
    }
  }
}
