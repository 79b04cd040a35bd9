/// Values that look like the guest's pass, and are none.
package func forgeries(of pass: String) -> [String] {
  let parts = pass.split(separator: ".").map(String.init)
  // The first character: the last one of base64 may hold bits that say nothing.
  func changed(_ text: String) -> String { (text.hasPrefix("A") ? "B" : "A") + text.dropFirst() }
  return [
    changed(parts[0]) + "." + parts[1], parts[0] + "." + changed(parts[1]), parts[0], parts[0] + ".", "." + parts[1],
    pass + "A", pass + ".x", String(pass.dropLast()), parts[1] + "." + parts[0], "\(parts[0]),\(parts[1])", ".", "x",
    "%00", "\"\(pass)\"x", String(repeating: "é", count: 22) + ".", String(repeating: "A", count: 3_000),
  ]
}
