/// The parameters of a query, in order: `application/x-www-form-urlencoded`, a plus being a space.
struct Query {
  struct Parameter {
    let name: String
    /// `nil` if it is not percent-encoded UTF-8.
    let value: String?
  }

  let parameters: [Parameter]

  init(_ query: ArraySlice<UInt8>) {
    guard !query.isEmpty else {
      parameters = []
      return
    }
    parameters = query.split(separator: UInt8(ascii: "&")).map { pair in
      let equals = pair.firstIndex(of: UInt8(ascii: "="))
      let name = PercentEncoding.decode(pair[..<(equals ?? pair.endIndex)], plusIsSpace: true)
      let value = equals.map { PercentEncoding.decode(pair[($0 + 1)...], plusIsSpace: true) } ?? ""
      // A name that can't be read is unknown.
      return Parameter(name: name ?? "", value: value)
    }
  }

  /// How much of a cart an answer shows.
  enum View {
    case whole
    case summary
  }

  /// - Throws: `invalid_field` for an unknown view, and for several.
  func view() throws(Problem) -> View {
    let views = parameters.filter { $0.name == "view" }
    if views.isEmpty { return .whole }
    guard views.count == 1, views[0].value == "summary" else {
      throw Problem(.invalidField, "The parameter view can only be summary.")
    }
    return .summary
  }

  /// - Throws: `invalid_field` if something else is in the query: in a request that deletes, a filter that is
  ///   misspelt must not become no filter.
  func allowOnly(_ names: String...) throws(Problem) {
    for parameter in parameters where !names.contains(parameter.name) {
      throw Problem(.invalidField, "The query has a parameter that does not belong there.")
    }
  }
}
