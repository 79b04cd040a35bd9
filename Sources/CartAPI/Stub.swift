package enum CartAPIStub {}
