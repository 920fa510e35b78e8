// Package migrate moves the users of an export to a target: it decides what
// becomes of each (plan), does exactly that (apply) and compares the result
// (check). It knows exports and the contracts of package cloud, and neither a
// kind of target nor a kind of file: what a target can do, its
// [cloud.Capabilities] say.
//
// # Deciding
//
// [Plan] reads a [Source] and hands a [Decision] for each user to a [Sink].
// It holds a [cloud.DirectoryReader] and nothing else, and so cannot write.
// [Inspect] does the same against an imaginary target.
//
//	match     which user of the target is it?            match.go, find.go
//	map       what of the row becomes which method?      map.go and map_*.go
//	conflict  what do several users claim?               conflict.go
//	outlook   what awaits the user then?                 outlook.go
//
// A [Mapper] holds the rules. It is pure: row, conflicts and the target's user
// in, a decision out. Whatever cannot move as it was is a [Finding] with a code
// of the [Catalogue], which docs/findings.md lists. When in doubt whose
// something is, nobody gets it.
//
// # Doing
//
// [Apply] makes the changes of a [PlanReader] that still fit what the target
// holds, and notes in a [Journal] what it is about to do and what came of it,
// so that it can be stopped at any moment and run again. Check reads the target
// and compares. What people see of a plan is masked, see [MaskValue].
package migrate
