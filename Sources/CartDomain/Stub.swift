package enum CartDomainStub {}
