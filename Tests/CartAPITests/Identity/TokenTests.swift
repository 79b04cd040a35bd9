import CartDomain
import TestSupport
import Testing

@testable import CartAPI

/// The shop's own token: where it stands, and what it must say.
@Suite struct Tokens {
  let mint = TokenMint()
  let shop: Shop

  init() throws { shop = try Shop(tokens: TokenMint().configuration()) }

  private func expectRefused(
    _ headers: Shop.Headers, by shop: Shop? = nil, _ detail: String? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let shop = shop ?? self.shop
    let calls = (shop.store.calls, shop.catalogue.calls)
    for (method, target, body) in [
      ("GET", "/v1/cart", nil), ("POST", "/v1/cart/lines", #"{"sku":"A"}"#), ("DELETE", "/v1/cart", nil),
      ("POST", "/v1/orders", #"{"expectedTotal":100}"#),
    ] as [(String, String, String?)] {
      let answer = shop.send(method, target, body, headers: headers)
      expectProblem(answer, 401, "bad_token", hasCart: false, sourceLocation: sourceLocation)
      #expect(answer["WWW-Authenticate"] == "Bearer", sourceLocation: sourceLocation)
      #expect(answer["Guest-Cart-Id"] == nil, sourceLocation: sourceLocation)
      if let detail { #expect(answer.json["detail"] == .string(detail), sourceLocation: sourceLocation) }
    }
    #expect((shop.store.calls, shop.catalogue.calls) == calls, sourceLocation: sourceLocation)
  }

  private func expectRefused(claims: String, _ fault: TokenFault, sourceLocation: SourceLocation = #_sourceLocation)
    throws
  {
    expectRefused(
      [.authorization: "Bearer " + (try mint.token(claims))], fault.rawValue, sourceLocation: sourceLocation)
  }

  // MARK: Where it stands

  @Test(arguments: ["Bearer ", "bearer ", "BEARER  ", " Bearer\t"])
  func theSchemeIsReadInAnyCase(scheme: String) throws {
    let answer = shop.send("GET", "/v1/cart", headers: [.authorization: scheme + (try mint.token()) + " "])
    #expect(answer.json["owner"] == "user", "\(answer.text)")
  }

  @Test func theCookieServesAsWell() throws {
    shop.send("POST", "/v1/cart/lines", #"{"sku":"A"}"#, user: "ada")
    let token = try mint.token()
    for cookie in [
      "cartSession=\(token)", "a=b; cartSession=\"\(token)\"; c", "cartSession=\(token);cartSession=\(token)",
      "cartSession=; cartSession=\(token)",
    ] {
      #expect(shop.send("GET", "/v1/cart", headers: [.cookie: cookie]).skus == ["A"], "\(cookie)")
    }
    for cookie in ["cartsession=\(token)", "xcartSession=\(token)", "cartSession=", "cartSession"] {
      #expect(shop.send("GET", "/v1/cart", headers: [.cookie: cookie]).json["owner"] == "guest", "\(cookie)")
    }
    expectRefused([.cookie: "cartSession=x"])
    // One of them was planted, and nobody knows which.
    let other = try mint.token(for: "eve")
    expectRefused([.cookie: "cartSession=\(other); cartSession=\(token)"], TokenFault.ambiguous.rawValue)
    expectRefused([.cookie: "cartSession=\(token); cartSession=x"])
  }

  @Test func theHeaderComesBeforeTheCookieAndTheServersWordBeforeBoth() throws {
    for user in ["ada", "bob", "eve"] { shop.send("POST", "/v1/cart/lines", #"{"sku":"A"}"#, user: user) }
    shop.send("DELETE", "/v1/cart", user: "eve")
    let (ada, eve) = (try mint.token(), try mint.token(for: "eve"))
    let both: Shop.Headers = [.authorization: "Bearer " + ada, .cookie: "cartSession=" + eve]
    #expect(shop.send("GET", "/v1/cart", headers: both).json["version"] == 1)
    #expect(shop.send("GET", "/v1/cart", headers: [.cookie: both[.cookie] ?? ""]).json["version"] == 2)
    #expect(shop.send("GET", "/v1/cart", user: "eve", headers: both).json["version"] == 2)
    // What is not needed is not looked at.
    #expect(
      shop.send("GET", "/v1/cart", headers: [.authorization: "Bearer " + ada, .cookie: "cartSession=x"]).status == 200)
    #expect(shop.send("GET", "/v1/cart", user: "ada", headers: [.authorization: "Bearer x"]).skus == ["A"])
    expectRefused([.authorization: "Bearer x", .cookie: "cartSession=" + ada])
    expectRefused([.authorization: "Bearer", .cookie: "cartSession=" + ada])
    expectProblem(shop.send("GET", "/v1/cart", user: "\u{1}", headers: both), 401, "bad_token")
  }

  @Test(arguments: ["Basic dXNlcjpwYXNz", "Bearerx", "Bearer,x", "Digest Bearer", "Negotiate", "DPoP x.y.z"])
  func otherSchemesAreIgnored(field: String) throws {
    #expect(shop.send("GET", "/v1/cart", headers: [.authorization: field]).json["owner"] == "guest")
    let headers: Shop.Headers = [.authorization: field, .cookie: "cartSession=\(try mint.token())"]
    #expect(shop.send("GET", "/v1/cart", headers: headers).json["owner"] == "user")
  }

  @Test func withoutAConfigurationTokensAreIgnored() throws {
    let shop = try Shop(tokens: nil)
    for token in [try mint.token(), "x", ""] {
      let headers: Shop.Headers = [.authorization: "Bearer " + token, .cookie: "cartSession=" + token]
      #expect(shop.send("GET", "/v1/cart", headers: headers).json["owner"] == "guest")
    }
  }

  @Test func aGuestWithABadTokenIsNoGuest() throws {
    let pass = try #require(shop.send("POST", "/v1/cart/lines", #"{"sku":"A"}"#)["Guest-Cart-Id"])
    shop.clock.advance(days: 2)
    expectRefused([.guestCartID: pass, .authorization: "Bearer x"])
    expectRefused([.cookie: "guestCartId=\(pass); cartSession=x"])
    #expect(shop.send("GET", "/v1/cart", headers: [.guestCartID: pass]).json["version"] == 1)
  }

  // MARK: Its form

  @Test func whatIsNoTokenIsRefused() throws {
    let token = try mint.token()
    let parts = token.split(separator: ".").map(String.init)
    let malformed = [
      "x", ".", "..", "...", "é", "\u{FFFD}", parts[0], parts[0] + "." + parts[1], parts[0] + "." + parts[1] + ".",
      "." + parts[1] + "." + parts[2], parts[0] + ".." + parts[2], token + ".", token + ".x", "." + token, token + "=",
      token + "A", token + "==", parts[0] + "=." + parts[1] + "." + parts[2], token + " " + token, "\"\(token)\"",
      String(token.dropLast()), String(token.dropLast()) + "/", token + "\n", parts.joined(separator: ","),
      parts[0] + "." + TokenMint.encoded(#"{"sub":"bob","exp":9999999999}"#) + "." + parts[2],
      parts[0] + "." + parts[2] + "." + parts[1], parts[1] + "." + parts[0] + "." + parts[2],
      String(repeating: ".", count: 8_000), String(repeating: "A", count: 100_000),
    ]
    for token in malformed { expectRefused([.authorization: "Bearer " + token]) }
  }

  @Test(arguments: [
    #"{"alg":"none"}"#, #"{"alg":"None"}"#, #"{"alg":"NONE"}"#, #"{"alg":""}"#,
    #"{"alg":"hs256"}"#, #"{"alg":"HS384"}"#, #"{"alg":"HS512"}"#,
    #"{"alg":"RS256"}"#, #"{"alg":"ES256"}"#, #"{"alg":"HS256 "}"#, #"{"alg":null}"#, #"{"alg":["HS256"]}"#, "{}",
    #"{"alg":"HS256","alg":"HS256"}"#, #"{"alg":"none","alg":"HS256"}"#, #"{"alg":"HS256","crit":["exp"],"exp":1}"#,
    #"{"alg":"HS256","crit":[]}"#, #"{"alg":"HS256","b64":false,"crit":["b64"]}"#, #"{"alg":"HS256","kid":1}"#,
    #"{"alg":"HS256"}x"#, "[]", "null", "", "\u{FEFF}{\"alg\":\"HS256\"}", #"["alg","HS256"]"#,
    #"{"alg":"HS256\u0000"}"#,
  ])
  func aHeaderThatDoesNotCount(header: String) throws {
    expectRefused([.authorization: "Bearer " + (try TokenMint(header: header).token())])
    // Nor without a signature.
    let unsigned = TokenMint.encoded(header) + "." + TokenMint.encoded(#"{"sub":"ada","exp":9999999999}"#) + "."
    expectRefused([.authorization: "Bearer " + unsigned])
  }

  @Test func aTokenEndsAt8KiB() throws {
    func padded(_ count: Int) throws -> String {
      try mint.token(for: "ada", #","x":"\#(String(repeating: "x", count: count))""#)
    }
    let fits = try padded(6_000)
    let count = 6_000 + (8192 - fits.utf8.count) * 3 / 4
    let (longest, longer) = (try padded(count), try padded(count + 2))
    #expect((8192 - 2...8192).contains(longest.utf8.count))
    #expect(shop.add(bearing: longest).status == 200)
    #expect(longer.utf8.count > 8192)
    expectRefused([.authorization: "Bearer " + longer])
    expectRefused([.authorization: "Bearer " + (try padded(1 << 20))])
  }

  // MARK: Its claims

  @Test func whatItMustSay() throws {
    let exp = "\"exp\":\(TokenMint.opening + 3600)"
    for claims in [
      "", "[]", "null", "{", #"{"sub":"ada","sub":"ada",\#(exp)}"#, #"{"sub":"ada",\#(exp)} x"#,
      #"{"sub":"a\u0000b",\#(exp)}"#, #"{"sub":"\uD800",\#(exp)}"#, #"{"sub":"ada","exp":1e999}"#,
      #"{"sub":"ada","exp":"\#(TokenMint.opening + 3600)"}"#, #"{"sub":"ada","exp":null}"#,
      #"{"sub":"ada","exp":true}"#, #"{"sub":"ada","exp":[\#(TokenMint.opening + 3600)]}"#,
      #"{"sub":"ada","exp":\#(String(repeating: "9", count: 400))}"#, #"{"sub":"ada","exp":99999999999999999999}"#,
      #"{"sub":"ada",\#(exp),"nbf":"0"}"#, #"{"sub":"ada",\#(exp),"iat":{}}"#, #"{"sub":"ada",\#(exp),"nbf":null}"#,
    ] {
      try expectRefused(claims: claims, .malformedClaims)
    }
    try expectRefused(claims: #"{"sub":"ada"}"#, .noExpiry)
    for sub in [
      #""""#, "1", "null", #"["ada"]"#, #""a\u0001b""#, #""a\u007F""#, #""a\nb""#,
      "\"" + String(repeating: "x", count: 129) + "\"",
    ] {
      try expectRefused(claims: #"{"sub":\#(sub),\#(exp)}"#, .noUser)
    }
    try expectRefused(claims: "{\(exp),\"user\":\"ada\"}", .noUser)
  }

  @Test(arguments: ["ada", "用户 Zoë%{}", "a:b/c", "..", " ", String(repeating: "x", count: 128)])
  func theSubjectIsTheUser(user: String) throws {
    #expect(shop.add(bearing: try mint.token(for: user)).status == 200)
    #expect(shop.send("GET", "/v1/cart", user: user).skus == ["A"])
    #expect(shop.store.lastChange?.owner == UserID(user).map(CartOwner.user))
  }

  @Test func itsTimes() throws {
    let now = TokenMint.opening
    for (times, fault) in [
      ("\"exp\":\(now)", .expired), ("\"exp\":\(now - 1)", .expired), ("\"exp\":0", .expired), ("\"exp\":-1", .expired),
      ("\"exp\":\(now + 1)", nil), ("\"exp\":\(now).5", nil), ("\"exp\":9223372036854775807", nil),
      ("\"exp\":1e300", nil), ("\"exp\":\(now + 9),\"nbf\":\(now)", nil),
      ("\"exp\":\(now + 9),\"nbf\":\(now + 1)", .notYetValid), ("\"exp\":\(now + 9),\"nbf\":\(now).5", .notYetValid),
      ("\"exp\":\(now + 9),\"iat\":\(now - 9)", nil), ("\"exp\":\(now + 9),\"iat\":\(now + 60)", nil),
      ("\"exp\":\(now + 999),\"iat\":\(now + 61)", .notYetValid),
    ] as [(String, TokenFault?)] {
      let claims = #"{"sub":"ada",\#(times)}"#
      if let fault {
        try expectRefused(claims: claims, fault)
      } else {
        #expect(shop.add(bearing: try mint.token(claims)).status == 200, "\(claims)")
      }
    }
    let token = try mint.token()
    shop.clock.advance(milliseconds: 3_599_999)
    #expect(shop.add(bearing: token).status == 200)
    shop.clock.advance(milliseconds: 1)
    expectRefused([.authorization: "Bearer " + token], TokenFault.expired.rawValue)
  }

  @Test func clocksMayDiffer() throws {
    let shop = try Shop(tokens: mint.configuration(leeway: 30))
    let now = TokenMint.opening
    for (times, isGood) in [
      ("\"exp\":\(now - 29)", true), ("\"exp\":\(now - 30)", false),
      ("\"exp\":\(now + 99),\"nbf\":\(now + 30)", true), ("\"exp\":\(now + 99),\"nbf\":\(now + 31)", false),
      ("\"exp\":\(now + 99),\"iat\":\(now + 90)", true), ("\"exp\":\(now + 99),\"iat\":\(now + 91)", false),
    ] {
      let answer = shop.add(bearing: try mint.token(#"{"sub":"ada",\#(times)}"#))
      #expect(answer.status == (isGood ? 200 : 401), "\(times)")
    }
  }

  @Test func audienceAndIssuerWhereTheyAreConfigured() throws {
    let strict = try Shop(tokens: mint.configuration(audience: "shop", issuer: "https://id.example"))
    let issuer = #","iss":"https://id.example""#
    for aud in [#""shop""#, #"["shop"]"#, #"["other","shop",1]"#] {
      #expect(strict.add(bearing: try mint.token(for: "ada", issuer + #","aud":\#(aud)"#)).status == 200)
    }
    for aud in [#""other""#, "[]", #"["other"]"#, #""""#, "1", "null", #"{"shop":"shop"}"#, #"[["shop"]]"#, #""Shop""#]
    {
      let token = try mint.token(for: "ada", issuer + #","aud":\#(aud)"#)
      expectRefused([.authorization: "Bearer " + token], by: strict, TokenFault.otherAudience.rawValue)
      // Where nobody looks at it, it is whatever it is.
      #expect(shop.add(bearing: token).status == 200)
    }
    expectRefused([.cookie: "cartSession=\(try mint.token(for: "ada", issuer))"], by: strict)
    for iss in [#""https://id.example/""#, "null", #"["https://id.example"]"#, #""""#] {
      let token = try mint.token(for: "ada", #","aud":"shop","iss":\#(iss)"#)
      expectRefused([.authorization: "Bearer " + token], by: strict, TokenFault.otherIssuer.rawValue)
    }
    expectRefused([.cookie: "cartSession=\(try mint.token(for: "ada", #","aud":"shop""#))"], by: strict)
  }

  // MARK: Around it

  @Test func itsPlaceInTheOrderOfChecks() {
    let headers: Shop.Headers = [
      .authorization: "Bearer x", .origin: "https://evil.example", .contentType: "text/plain",
    ]
    expectProblem(shop.send("POST", "/v1/nowhere", "{", headers: headers), 404, "not_found")
    expectProblem(shop.send("POST", "/v1/cart", "{", headers: headers), 405, "method_not_allowed")
    let large = String(repeating: " ", count: 256 * 1024 + 1)
    expectProblem(shop.send("POST", "/v1/cart/lines", large, headers: headers), 413, "body_too_large")
    expectProblem(shop.send("POST", "/v1/cart/lines", "{", headers: headers), 401, "bad_token")
    #expect(shop.send("GET", "/ops/health", headers: headers).status == 200)
    #expect(shop.send("OPTIONS", "/v1/cart", headers: headers).status == 204)
  }

  @Test func aTokenReachesNeitherAnswerNorLog() throws {
    let token = try mint.token(#"{"sub":"private-name","exp":1}"#)
    for field in [token, token + "x", "private-name"] {
      let answer = shop.send("GET", "/v1/cart", headers: [.authorization: "Bearer " + field])
      #expect(answer.status == 401)
      #expect(answer.note == nil)
      #expect(!answer.text.contains("private-name"))
      #expect(!answer.text.contains(token))
    }
  }

  @Test func base64HasOneSpelling() throws {
    for count in 0..<20 {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 37 + 200) }
      let text = Base64URL.encode(bytes[...])
      #expect(Base64URL.decode(text[...]) == bytes)
      #expect(Base64URL.decode((text + Array("=".utf8))[...]) == nil)
    }
    for text in ["A", "AB", "AAB", "AAAAA", "A+", "A/", "AA==", "A A", "é"] {
      #expect(Base64URL.decode(Array(text.utf8)[...]) == nil, "\(text)")
    }
  }
}
