// Package graph is Microsoft Entra ID as a [cloud.Directory], over Microsoft
// Graph as it is published and nothing of ours. No tenant has been reached with
// it yet: every request follows the reference, and what the reference leaves
// open is an option or a [cloud.Check].
//
//	d, err := graph.Open(ctx, graph.Options{Tenant: tenant, Cloud: graph.Global(), Credential: credential})
//	users, err := d.Read(ctx, ids)
//	results := d.Write(ctx, changes)
//
// Many small requests travel together by $batch, at most 20 at a time, each
// batch of one version and without dependencies: the changes of one user are
// made one after the other, those of different users side by side. An own
// limiter keeps to a part of the published limits before Graph has to.
//
// Only what cannot be made twice is sent twice: reading, and what Graph says it
// has not taken (429). After any other failure of a change the user is read
// again, and what stands there is the answer: a 409 for a telephone number
// often comes with the number stored. What the service failed at (5xx), or
// whose answer was lost, is sent again only after the user was seen to be as
// the change expects, and where somebody else came in between it is stale.
//
// A hardware OATH token is made in three steps, each of which is found again
// after a crash: in the inventory by its serial number, assigned, activated
// with a code that is computed for the clock of the server. Activation proves
// that the inventory's secret is ours.
//
// One user whom Graph does not tell of, or at whom it fails each time, is nobody
// else's trouble ([cloud.UnreadError], [cloud.Error.Alone]): somebody who can be
// read has to prove that it is the user.
//
// [Directory.IssuePass] makes a temporary access pass, and [Directory.Canary]
// tries a migration's writes on a test user and takes them back.
//
// Users, push devices and software tokens cannot be made by any Graph version.
package graph
