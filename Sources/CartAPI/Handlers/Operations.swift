import CartDomain
import CartJSON

/// What the server can say of itself; behind `/ops`.
package protocol Operations {
  /// Whether the stores can be reached now, or could a moment ago.
  func readiness() -> Readiness
  /// The pool of workers for a program, in JSON; `nil` if nothing is known of one.
  func statusJSON() -> [UInt8]?
  /// The pool for a person, in HTML.
  func statusPage() -> [UInt8]?
  /// The pool for Prometheus.
  func metrics() -> [UInt8]?
}

/// Which stores answer, and so what can be done with carts.
package struct Readiness: Equatable, Sendable {
  package var redis: Bool
  package var postgres: Bool
  /// Why a change would be refused now; `nil` if it would be accepted.
  package var refusal: String?
  /// Whether Redis may be read: it is the shop's.
  package var isServed: Bool

  package init(redis: Bool, postgres: Bool, refusal: String? = nil, isServed: Bool = true) {
    self.redis = redis
    self.postgres = postgres
    self.refusal = refusal
    self.isServed = isServed
  }

  /// Carts are read from Redis, without it from PostgreSQL's copies.
  package var canRead: Bool { redis && isServed || postgres }
  package var canChange: Bool { redis && refusal == nil }
}

extension CartService {
  /// `GET /ops/health`: the process answers. What it depends on is not asked.
  func reportHealth(_ call: Call) throws(Problem) -> HTTPResponse {
    .json { $0.object { $0.field("status", "ok") } }
  }

  /// `GET /ops/ready`: 200 while carts can be read or changed.
  func reportReadiness(_ call: Call) throws(Problem) -> HTTPResponse {
    guard let readiness = operations?.readiness() else { throw Problem(.notFound) }
    if !readiness.canRead && !readiness.canChange {
      throw Problem(.storeUnavailable, "Carts can be neither read nor changed: Redis and PostgreSQL are away.")
    }
    return .json {
      $0.object {
        $0.field("status", "ready")
        $0.field("read", readiness.canRead)
        $0.field("change", readiness.canChange)
        $0.field("redis", readiness.redis)
        $0.field("postgres", readiness.postgres)
        if let refusal = readiness.refusal { $0.field("reason", refusal) }
      }
    }
  }

  /// `GET /ops/status`: a page, or with `?format=json` JSON.
  func reportStatus(_ call: Call) throws(Problem) -> HTTPResponse {
    let isForProgram = call.query.parameters.contains { $0.name == "format" && $0.value == "json" }
    let body = isForProgram ? operations?.statusJSON() : operations?.statusPage()
    guard let body else { throw Problem(.notFound) }
    return HTTPResponse(body: body, type: isForProgram ? "application/json" : "text/html; charset=utf-8")
  }

  /// `GET /ops/metrics`: text exposition format 0.0.4.
  func reportMetrics(_ call: Call) throws(Problem) -> HTTPResponse {
    guard let body = operations?.metrics() else { throw Problem(.notFound) }
    return HTTPResponse(body: body, type: "text/plain; version=0.0.4; charset=utf-8")
  }
}
