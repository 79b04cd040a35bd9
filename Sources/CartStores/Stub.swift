package enum CartStoresStub { package static var x: Int { PackageResources.add_lua.count + PackageResources._001_cart_sql.count } }
