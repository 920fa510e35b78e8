package sqlite

import "mfabridge/cloud/engine"

// Impatient makes the store's writer give up after a fifth of a second where
// another process holds the file.
func Impatient(s *Store) error { return s.writer.script("PRAGMA busy_timeout=200") }

// RollBack ends a transaction from within, as SQLite does by itself on a disk
// that fails.
func RollBack(t engine.Tx) error { return t.(tx).c.do(sqlRollback) }

// Statements are all prepared statements by the name of their constant.
func Statements() map[string]string {
	return map[string]string{
		"sqlMeta": sqlMeta, "sqlUser": sqlUser, "sqlUserNamed": sqlUserNamed, "sqlUsersAfter": sqlUsersAfter, "sqlTokens": sqlTokens,
		"sqlSpent": sqlSpent, "sqlHolder": sqlHolder, "sqlChallenge": sqlChallenge, "sqlAttempt": sqlAttempt, "sqlLastSent": sqlLastSent,
		"sqlFailures": sqlFailures, "sqlApp": sqlApp, "sqlApps": sqlApps, "sqlAudit": sqlAudit, "sqlSetMeta": sqlSetMeta, "sqlRemoveMeta": sqlRemoveMeta,
		"sqlPutUser": sqlPutUser, "sqlRemoveUser": sqlRemoveUser, "sqlClaim": sqlClaim, "sqlOwner": sqlOwner, "sqlReleaseOne": sqlReleaseOne,
		"sqlPutToken": sqlPutToken, "sqlSetClock": sqlSetClock, "sqlRemoveToken": sqlRemoveToken, "sqlSetSpent": sqlSetSpent,
		"sqlPutChallenges": manyRows(sqlPutChallenges, 16, 2), "sqlPutAttempts": manyRows(sqlPutAttempts, 6, 2), "sqlSetLastSent": sqlSetLastSent, "sqlPutFailures": sqlPutFailures,
		"sqlRemoveFailures": sqlRemoveFailures, "sqlPutApp": sqlPutApp, "sqlRemoveApp": sqlRemoveApp, "sqlAppendAll": manyRows(sqlAppendAll, 10, 2),
		"sqlPruneTo": sqlPruneTo, "sqlPruneToLast": sqlPruneToLast, "sqlPruneChallenges": sqlPruneChallenges, "sqlPruneAttempts": sqlPruneAttempts, "sqlPruneSent": sqlPruneSent,
		"sqlOldFailures": sqlOldFailures, "sqlPruneFailures": sqlPruneFailures,
		"sqlDevices": sqlDevices, "sqlGroup": sqlGroup, "sqlGroupNamed": sqlGroupNamed, "sqlGroupsAfter": sqlGroupsAfter,
		"sqlMembersAfter": sqlMembersAfter, "sqlParents": sqlParents, "sqlLastAudit": sqlLastAudit, "sqlPutDevice": sqlPutDevice,
		"sqlRemoveDevice": sqlRemoveDevice, "sqlPutGroup": sqlPutGroup, "sqlRemoveGroup": sqlRemoveGroup, "sqlAddMember": sqlAddMember,
		"sqlRemoveMember": sqlRemoveMember, "sqlRemoveMembers": sqlRemoveMembers, "sqlLeaveAll": sqlLeaveAll,
		"sqlLastOf": sqlLastOf, "sqlLastSeq": sqlLastSeq, "sqlRedact": sqlRedact, "sqlPruneAt": sqlPruneAt, "sqlMetaNames": sqlMetaNames,
		"sqlChallengesAfter": sqlChallengesAfter, "sqlFailuresOf": sqlFailuresOf, "sqlForgetFailures": sqlForgetFailures,
		"sqlForgetSent": sqlForgetSent, "sqlForgetAttempts": sqlForgetAttempts, "sqlForgetChallenges": sqlForgetChallenges,
		"sqlFenceTokens": sqlFenceTokens, "sqlFenceSpent": sqlFenceSpent, "sqlFenceAside": sqlFenceAside,
		"sqlFenceChallenges": sqlFenceChallenges, "sqlFenceAttempts": sqlFenceAttempts, "sqlFenceSent": sqlFenceSent,
		"sqlFlight": sqlFlight, "sqlFlightOf": sqlFlightOf, "sqlFlightsDue": sqlFlightsDue, "sqlPutFlight": sqlPutFlight, "sqlPutReceipt": sqlPutReceipt, "sqlPruneFlights": sqlPruneFlights, "sqlPruneReceipts": sqlPruneReceipts, "sqlForgetFlights": sqlForgetFlights, "sqlForgetReceipts": sqlForgetReceipts, "sqlFenceFlights": sqlFenceFlights, "sqlFenceReceipts": sqlFenceReceipts,
		"sqlDataVersion": sqlDataVersion, "sqlCheckpoint": sqlCheckpoint, "sqlEmptyLog": sqlEmptyLog, "sqlBegin": sqlBegin, "sqlCommit": sqlCommit, "sqlRollback": sqlRollback, "sqlSavepoint": sqlSavepoint,
		"sqlRelease": sqlRelease, "sqlUndo": sqlUndo,
		"sqlRecent": sqlRecent, "sqlRecentRow": sqlRecentRow, "sqlPutRecent": sqlPutRecent, "sqlOldestRecent": sqlOldestRecent, "sqlPruneRecent": sqlPruneRecent,
		"sqlSlip": sqlSlip, "sqlSlipsOf": sqlSlipsOf, "sqlPutSlip": sqlPutSlip, "sqlRemoveSlip": sqlRemoveSlip, "sqlPruneSlips": sqlPruneSlips,
		"sqlFenceSlips": sqlFenceSlips, "sqlForgetSlips": sqlForgetSlips,
	}
}
