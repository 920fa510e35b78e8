// Package legacy reads what a retired MFA Server held: an export, that is a
// folder of tables in the format "mfabridge-export" version 1 (docs/export.md),
// as a stream of users with their devices and tokens.
//
// Nothing is held in memory but what the next user needs: tables may be in any
// order and of any size. What cannot be read is reported with file, line and
// column and left out; a row is never half read. Package legacy knows no
// cloud, never touches the network and never needs the old server.
package legacy
