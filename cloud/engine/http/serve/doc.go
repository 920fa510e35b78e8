// Package serve is what every HTTP face of the engine stands on: one table of
// routes, the guard in front of it, and servers that end in order.
//
// # Routes
//
// A face says what it answers by [Route] rows. [New] builds one handler for
// each listener from all rows, and refuses a row that names neither roles nor
// Open: nothing is public by accident. A listener knows its own routes only;
// to the others it says 404.
//
// # The guard
//
// For every request, in this order: a place among the requests in flight (503
// if there is none), the bearer token, the role, a limit on the body, and then
// the handler. Where anybody may call, and on the public listener, the body is
// read first, so that a slow one holds no place; files have places of their own,
// so that a reader who does not take one holds up files alone. One address gets
// half of the places there at most. Tokens are checked by [Authenticator] for each
// request anew. A handler returns an error or has answered; errors become the one
// JSON body of package wire, and faults of ours are logged with the request's
// number.
//
// # Servers
//
// [Group] runs servers on open listeners with timeouts for each phase, and
// drains them: streams end, requests that were read are answered.
package serve
