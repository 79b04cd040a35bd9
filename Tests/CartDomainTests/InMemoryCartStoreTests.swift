import CartDomain
import Testing

/// The reference store: who has a cart, for how long, and what a repeated change does.
@Suite struct ReferenceStore {
  private final class Clock {
    var now = opening
  }

  private let clock = Clock()
  private let catalogue = InMemoryCatalogue()
  private let store: InMemoryCartStore
  private let guest: CartOwner
  private let user: CartOwner

  init() throws {
    let clock = clock
    store = InMemoryCartStore(catalogue: catalogue) { clock.now }
    catalogue.put(try product("A").content, revision: try #require(RevisionID("revision")), stock: nil)
    guest = .guest(try #require(GuestCartID(String(repeating: "g", count: 22))))
    user = .user(try #require(UserID("u")))
  }

  private func add(
    _ owner: CartOwner, isNew: Bool = false, key: UInt8? = nil, request: UInt8 = 0, condition: VersionCondition? = nil
  ) throws -> ChangeReading {
    try store.change(
      ChangeRequest(
        owner: owner, change: .add([LineAddition(sku: try sku("A"), quantity: 1)]), isNewGuest: isNew,
        condition: condition,
        retryKey: key.map {
          RetryKey(key: [UInt8](repeating: $0, count: 8), request: [UInt8](repeating: request, count: 4))
        }))
  }

  @Test func aUsersCartComesIntoBeingWithItsFirstAdd() throws {
    #expect(try store.cart(of: user).cart.version == 0)
    #expect(try store.cart(of: user).isGone == false)
    #expect(try add(user).outcome == .changed)
    clock.now = opening.adding(milliseconds: 400 * 86_400_000)
    #expect(try store.cart(of: user).cart.version == 1)
    #expect(try store.cart(of: user).cart.expiresAt == nil)
  }

  @Test func aGuestsCartLivesThirtyDaysAfterItsLastUse() throws {
    #expect(try store.cart(of: guest).isGone)
    #expect(try add(guest).reading.isGone)
    let made = try add(guest, isNew: true)
    #expect(made.outcome == .changed)
    #expect(made.reading.cart.expiresAt == opening.adding(milliseconds: Cart.guestLifetimeMilliseconds))
    #expect(!made.reading.isCookieDue)
    clock.now = opening.adding(milliseconds: Cart.renewalIntervalMilliseconds - 1)
    #expect(try store.cart(of: guest).isCookieDue == false)
    clock.now = opening.adding(milliseconds: Cart.renewalIntervalMilliseconds)
    let renewed = try store.cart(of: guest)
    #expect(renewed.isCookieDue)
    #expect(renewed.cart.expiresAt == clock.now.adding(milliseconds: Cart.guestLifetimeMilliseconds))
    #expect(try store.cart(of: guest).isCookieDue == false)
    clock.now = clock.now.adding(milliseconds: Cart.guestLifetimeMilliseconds - 1)
    #expect(try store.cart(of: guest).cart.version == 1)
    clock.now = clock.now.adding(milliseconds: Cart.guestLifetimeMilliseconds)
    #expect(try store.cart(of: guest).isGone)
    #expect(try add(guest).reading.isGone)
  }

  @Test func aRepeatedKeyHasNoSecondEffect() throws {
    #expect(try add(user, key: 1).outcome == .changed)
    #expect(try add(user, key: 1).outcome == .replayed)
    #expect(try add(user, key: 1, request: 9).outcome == .keyReused)
    #expect(try add(user, key: 1, condition: .oneOf([7])).outcome == .replayed)
    for key in UInt8(2)...16 { _ = try add(user, key: key) }
    #expect(try add(user, key: 1).outcome == .replayed)
    _ = try add(user, key: 17)
    #expect(try add(user, key: 1).outcome == .changed)
  }

  @Test func aConditionIsOnTheVersion() throws {
    #expect(try add(user, condition: .written).outcome == .versionMismatch)
    #expect(try add(user, condition: .oneOf([1])).outcome == .versionMismatch)
    #expect(try add(user, condition: .oneOf([3, 0])).outcome == .changed)
    #expect(try add(user, condition: .written).outcome == .changed)
    #expect(try add(user, key: 1, condition: .oneOf([9])).outcome == .versionMismatch)
    // A refusal does not use the key up.
    #expect(try add(user, key: 1, request: 5).outcome == .changed)
  }
}
