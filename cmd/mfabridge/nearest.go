package main

import "strings"

// nearest is the word that somebody may have meant who typed another; empty:
// none is near enough to be named.
func nearest(typed string, words []string) (near string) {
	least := 1 + len(typed)/4
	for _, word := range words {
		slips := distance(typed, word)
		if strings.HasPrefix(word, typed) {
			slips = 1
		}
		if slips < least || slips == least && near == "" {
			near, least = word, slips
		}
	}
	return near
}

// distance is how many letters have to be put in, taken out or changed to make
// b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0] // of the row above, one to the left
		row[0] = i + 1
		for j := range len(b) {
			change := before
			if a[i] != b[j] {
				change++
			}
			before = row[j+1]
			row[j+1] = min(change, row[j]+1, before+1)
		}
	}
	return row[len(b)]
}
