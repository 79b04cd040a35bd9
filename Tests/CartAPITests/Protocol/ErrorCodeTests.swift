import CartDomain
import TestSupport
import Testing

@testable import CartAPI

@Suite struct ErrorCodes {
  @Test(arguments: ViolationCode.allCases) func aBrokenRuleHasARow(rule: ViolationCode) {
    #expect(ErrorCode(rawValue: rule.rawValue) != nil)
  }

  @Test func theDescriptionNamesTheLongestBody() throws {
    let examples = try Shop().send("GET", "/v1/openapi.json").json["components"]["examples"]
    #expect(examples["body_too_large"]["value"]["detail"].string == ErrorCode.bodyTooLarge.explanation)
  }
}
