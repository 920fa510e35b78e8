package dictionary

// All is every attribute that has a name, by it in lower case.
var All = load
