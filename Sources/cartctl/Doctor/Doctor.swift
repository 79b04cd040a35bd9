import ArgumentParser
import CartDomain
import CartJSON
import CartStores

/// `cartctl doctor`
struct Doctor: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "Looks for what is wrong, and says what to do.",
    discussion: """
      The pool: somebody serves. Redis: reachable, version, durability, memory, rights. PostgreSQL: reachable, version, migrations, rights, the \
      tables of the months. Between them: clocks, the history in use, how far PostgreSQL is behind, refused carts, \
      whether a syncer lives. The secret's file, and with --nginx the file that brings requests to cartd.

      Each line begins with ok, note, warning or failure. Exit code 1 where there is a warning or a failure. It \
      changes nothing but a key cart:check:… in Redis, which it removes.

        cartctl doctor
        cartctl doctor --nginx /etc/nginx/sites-enabled/shop --json
      """)

  @OptionGroup var stores: StoreOptions
  @OptionGroup var output: OutputOptions

  @Option(name: .long, help: ArgumentHelp("Look into this configuration of nginx too.", valueName: "file"))
  var nginx: String?

  func run() throws {
    let settings = try stores.settings()
    let findings = try Diagnosis(stores.graph(), settings).findings + Self.files(settings, nginx: nginx)
    if output.json {
      Terminal.printJSON {
        $0.array {
          for finding in findings { $0.finding(finding) }
        }
      }
    } else {
      for finding in findings { Self.print(finding) }
    }
    if findings.contains(where: \.isBad) { throw ExitCode.failure }
  }

  private static func print(_ finding: Finding) {
    let severity = Terminal.colored(Table.padded(finding.severity.rawValue, 9), finding.severity.color)
    Terminal.print(severity + Table.padded(finding.subject, 22) + Terminal.escaped(finding.text))
    if let advice = finding.advice {
      Terminal.print(String(repeating: " ", count: 31) + "-> " + Terminal.escaped(advice))
    }
  }

  private static func files(_ settings: Settings, nginx: String?) -> [Finding] {
    var findings = SecretFile.findings(settings)
    if let nginx { findings += NginxFile.findings(nginx) }
    return findings
  }
}

/// One thing that was looked at.
struct Finding {
  enum Severity: String {
    case ok, note, warning, failure

    var color: Terminal.Color {
      switch self {
      case .ok: .good
      case .note, .warning: .doubtful
      case .failure: .bad
      }
    }
  }

  var severity: Severity
  /// A few words: what was looked at.
  var subject: String
  /// What was found.
  var text: String
  /// What to do; `nil` if nothing is.
  var advice: String?

  init(_ severity: Severity, _ subject: String, _ text: String, _ advice: String? = nil) {
    self.severity = severity
    self.subject = subject
    self.text = text
    self.advice = advice
  }

  var isBad: Bool { severity == .warning || severity == .failure }
}

extension JSONWriter {
  fileprivate mutating func finding(_ finding: Finding) {
    object {
      $0.field("weight", finding.severity.rawValue)
      $0.field("subject", finding.subject)
      $0.field("text", finding.text)
      $0.field("advice", finding.advice)
    }
  }
}
