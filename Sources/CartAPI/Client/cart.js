// Stands in for the client until it is there.
export {};
