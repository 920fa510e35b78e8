//go:build !race

package phone_test

// equalityCount is how many numbers TestLibraryEquality compares.
const equalityCount = 150_000
