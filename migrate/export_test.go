package migrate

// Holds is for tests.
var Holds = holds
