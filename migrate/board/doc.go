// Package board writes the report of a plan that a change board signs: one
// HTML page that needs nothing else, no network and no other file.
//
//	write.go    the page, in order: head, users, foot
//	tally.go    what is counted over all users, and who is named on paper
//	view.go     what the page's template sees; view_*.go its sections
//	words.go    plain words for every identifier of a plan, and the glossary
//	users.go    the users, coded for the page's script
//	page/       template, style and script
//
// A plan is read twice: once to count, once to write its users. What is held
// in memory does not grow with the plan. Whatever comes from the export or the
// target is shortened, made harmless ([migrate.Plain]) and never markup; texts
// that a spreadsheet would run, when somebody copies the table, begin with an
// apostrophe.
//
// The users stand in the page as JSON, in blocks: a small index, which the
// script reads when the page opens, and details, which it reads when they are
// wanted. Without the script the page shows everything else, and the users
// that the board has to know.
package board
