import CartStores
import FastCGIServer

/// How the pool treats its processes and their requests.
struct PoolSettings {
  /// Where `/ops` is answered when every worker is busy; nil: nowhere.
  let operationsListen: ListenAddress?
  let maximumRequests: Int?
  /// Bytes.
  let maximumMemory: Int?
  let requestDeadline: Duration
  let queueAge: Duration
  let accessLog: String?
  let slowRequest: Duration?

  /// - Parameter listen: of the pool itself.
  init(_ settings: Settings, listen: ListenAddress) throws(SettingsError) {
    let text = settings[.operationsListen]
    if !text.isEmpty {
      guard let address = ListenAddress(text), address != listen else {
        throw SettingsError(
          "\(SettingKey.operationsListen.rawValue): neither unix:/path nor host:port, or the pool's own")
      }
      operationsListen = address
    } else {
      operationsListen = listen.ofStatusResponder
    }
    let requests = try settings.integer(.maximumRequests, in: 0...1_000_000_000)
    maximumRequests = requests == 0 ? nil : requests
    let mebibytes = try settings.integer(.maximumMemory, in: 0...1_000_000)
    maximumMemory = mebibytes == 0 ? nil : mebibytes << 20
    requestDeadline = .seconds(try settings.integer(.requestDeadline, in: 1...3_600))
    queueAge = .seconds(try settings.integer(.queueAge, in: 1...3_600))
    accessLog = settings[.accessLog].isEmpty ? nil : settings[.accessLog]
    let slow = try settings.integer(.slowMilliseconds, in: 0...3_600_000)
    slowRequest = slow == 0 ? nil : .milliseconds(slow)
  }
}
