package enum FastCGIServerStub {}
