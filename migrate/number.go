package migrate

import "strconv"

// Number is a count with what is counted, as a sentence has it: "1 user",
// "2 users". The words may be more than a noun: "user is", "users are".
func Number[N int | int64](n N, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.FormatInt(int64(n), 10) + " " + more
}
