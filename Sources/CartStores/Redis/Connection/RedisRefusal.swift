import CartDomain

/// Why a Redis may not be used, and what to do, for a log and for an operator.
struct RedisRefusal {
  let text: String

  init(_ redis: RedisCandidate, _ records: RedisRecords, _ admission: RedisAdmission) {
    guard let newest = records.newest else {
      text = "Redis: no cartd has served this shop yet; start cartd first"
      return
    }
    let place = newest.location.isEmpty ? "another place, which is not known" : newest.location
    let wanted = "PostgreSQL expects history \(newest.number), at \(place) since \(newest.registeredAt.rfc3339)"
    text =
      switch admission {
      case .superseded:
        "Redis: \(redis.location) spoke for this shop, and another one does since: \(wanted). Point CART_REDIS there; "
          + "cartctl adopt takes this one back"
      case .refused:
        "Redis: \(redis.location) does not speak for this shop: \(wanted). Point CART_REDIS there; if this one is to take "
          + "its place, cartctl adopt"
      default:
        "Redis: \(redis.location) has begun a history that no cartd has registered yet: \(wanted). Start cartd, which "
          + "takes it by itself"
      }
  }
}
