// Package engine is the core of our own cloud: users and their methods,
// verification of second factors and passwords, limits, and the record of who
// did what. It implements [cloud.Directory] and [cloud.Verifier] with all that
// goes with them, [cloud.Passwords], and the administration behind "mfabridge
// engine".
//
// # What it rests on
//
// The package holds rules only. It reaches the disk through [Store] and
// telephones through [Sender], two contracts that stand here beside their
// consumer; the packages below store and package channel implement them. It
// imports neither SQL nor HTTP. Time comes from [Config.Now]. What asks no store
// stands in packages of its own: the form of values (form), the sealing of secrets
// (seal), the audit's chains and their check (audit), the rules of access (access),
// what authenticators sign (signature), the limit on tries (tries, which asks for
// counts only), and the codes of generators (cloud/oath).
//
// # What it promises
//
//   - Every decision about a user is made inside the transaction that records
//     it, from what the store holds at that moment. Nothing that says yes or no
//     is cached, so several processes may work on one store, and a block holds
//     for the next login.
//   - A code of a generator is accepted once: the step is stored together with
//     the verdict and with the audit entry, before the verdict is returned.
//   - Secrets of generators and password hashes are sealed with the store's key
//     ([seal.Key]); associated data binds each to its user and method, so that a
//     sealed value copied to another row does not open. Codes that were sent
//     are kept as an HMAC.
//   - Failures count by user, way of verifying and calling station, with a
//     growing delay; across all stations only at ten times that number (see
//     [tries.Limits]).
//
// # Kinds
//
// A store is an engine, or it rehearses Entra ID ([KindEntra]): then it takes
// what Microsoft Graph lets an application write. Both enforce their own
// Capabilities, from one place.
//
// # Policy
//
// [Decide] is the whole rule of how a user is asked. The method policy names
// groups; it is stored compiled with their nesting under a version that every
// transaction looks at, so that nothing stale decides.
//
// # Authenticators
//
// An invitation says who may activate one. Who proves to be that user, by the
// password with a second factor that is there already or by a pass of the
// helpdesk, is given a code ([Engine.SignIn], [Engine.ProveCode],
// [Engine.ProvePass]); a device takes it once, with a key of its own
// ([Engine.Enrol]), and signs its answers to pushes ([Engine.Press]). Its owner
// removes it ([Engine.DismissDevice]), or a helpdesk does ([Engine.RemoveDevice]):
// each call looks at the device as it stands, so that it does nothing from then on.
//
// # Messages
//
// A text goes by WhatsApp, RCS and SMS, one after the other, as a [Router] says and
// policy allows; which one is next, and what receipts said, stands in the store
// ([Engine.Board], [Engine.Land]), so that each goes once also when the process
// that began it is gone. The code is the same on all of them and counts once. A
// call waits for a key ([Engine.Keyed]). Mail goes to addresses that somebody
// proved to read ([Engine.ProveEmail]); others get notices only.
//
// # Native authentication
//
// A sign-in over several requests travels as a [Flow], sealed, in the hands of
// the client; a slip in the store counts its steps that cannot be taken back, so
// that a token from before the last of them is refused. After each proven factor
// [access.Judge], a pure rule, says whether another one is needed; tokens come
// last, and of refresh tokens only the newest is worth anything ([Granted]).
package engine
