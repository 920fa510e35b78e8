//go:build race

package phone_test

// equalityCount is smaller under the race detector, which makes the library's
// regular expressions fifteen times as slow.
const equalityCount = 30_000
