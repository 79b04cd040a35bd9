import CartStores
print("cartd", CartStoresStub.x)
