// swift-tools-version: 6.2
import PackageDescription

/// Every Swift target is held to the same strictness.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .strictMemorySafety(),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .treatAllWarnings(as: .error),
]

// The C libraries are named without `pkgConfig:`: Debian's headers lie in the compiler's own search path, and
// hiredis.pc carries a flag that SwiftPM warns about.
let package = Package(
  name: "cartd",
  products: [
    .executable(name: "cartd", targets: ["cartd"]),
    .executable(name: "cartctl", targets: ["cartctl"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
  ],
  targets: [
    .systemLibrary(name: "CFastCGI"),
    .systemLibrary(name: "CHiredis"),
    .systemLibrary(name: "CJansson"),
    .systemLibrary(name: "COpenSSL"),
    .systemLibrary(name: "CPostgres"),
    .target(name: "CProcess"),
    .target(name: "CDocuments"),

    .target(name: "CartDomain", swiftSettings: strict),
    .target(name: "CartJSON", dependencies: ["CJansson"], swiftSettings: strict),
    .target(
      name: "CartAPI",
      dependencies: ["CartDomain", "CartJSON", "CDocuments", "COpenSSL"],
      // CDocuments has them in it.
      exclude: ["Client", "Description"],
      swiftSettings: strict),
    .target(
      name: "CartStores",
      dependencies: ["CartDomain", "CartJSON", "CHiredis", "CPostgres"],
      resources: [.embedInCode("Redis/Scripts"), .embedInCode("Postgres/Migrations")],
      swiftSettings: strict),
    .target(
      name: "FastCGIServer",
      dependencies: ["CFastCGI", "CProcess", .product(name: "Logging", package: "swift-log")],
      swiftSettings: strict),

    .executableTarget(
      name: "cartd",
      dependencies: [
        "CartAPI", "CartDomain", "CartStores", "FastCGIServer", .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "cartctl",
      dependencies: [
        "CartAPI", "CartDomain", "CartJSON", "CartStores", "FastCGIServer",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict,
      // ArgumentParser brings FoundationEssentials, whose mktemp gold warns about; lld, of the same toolchain, does not.
      linkerSettings: [.unsafeFlags(["-use-ld=lld"])]),

    .target(
      name: "TestSupport", dependencies: ["CartAPI", "CartDomain"], path: "Tests/Support", swiftSettings: strict),
    .testTarget(name: "CartDomainTests", dependencies: ["CartDomain", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "CartAPITests", dependencies: ["CartAPI", "CartDomain", "CartJSON", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "CartStoresTests", dependencies: ["CartStores", "CartDomain", "TestSupport", "cartctl"],
      swiftSettings: strict),
    .testTarget(
      name: "FastCGIServerTests", dependencies: ["FastCGIServer", "SamplePool", "TestSupport"], swiftSettings: strict),
    .executableTarget(
      name: "SamplePool",
      dependencies: ["FastCGIServer", .product(name: "Logging", package: "swift-log")],
      path: "Tests/SamplePool",
      swiftSettings: strict),
    .executableTarget(name: "NaivePool", path: "Tests/NaivePool", linkerSettings: [.linkedLibrary("fcgi")]),
    // In this process; through nginx when CART_TEST_URL names one.
    .testTarget(name: "APITests", dependencies: ["CartDomain", "TestSupport"], swiftSettings: strict),
    .testTarget(name: "EndToEndTests", dependencies: ["TestSupport"], swiftSettings: strict),
  ]
)
