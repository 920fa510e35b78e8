// Package upstream asks other RADIUS servers: home servers that check a first
// factor, or take a conversation that is relayed to them (RFC 2865, RFC 5080).
//
//	c, err := upstream.New(upstream.Options{Servers: servers, Log: log})
//	reply, err := c.Exchange(ctx, upstream.Request{Attributes: attributes, Password: password})
//	...
//	c.Close()
//
// Servers are asked in their order. One that lets requests go unanswered is
// down until it answers again; while it is down it is asked by Status-Server
// (RFC 5997), each time anew, and by logins only when every other server is
// down too. One that answers no Status-Server is tried again after a while, by
// one login. Where logins wait for people (Options.Vigil) a server is asked for a
// sign of life meanwhile, and left for the next one if it gives none. Any answer is final: a server that says no is never overruled by
// asking the next one, which would count a mistyped password twice.
//
// A request goes out with Message-Authenticator first. It is sent again with
// the same octets, at growing distances with jitter (RFC 5080 section 2.2.1).
// An Identifier is free again only when its request has an answer or was given
// up; the one used longest ago comes first; when all 256 of a socket are taken
// another socket is opened, up to a limit, beyond which requests wait.
//
// An answer counts only if its Response Authenticator and its
// Message-Authenticator are right. What is wrong is dropped and counted, and
// the request goes on waiting: whoever can forge packets towards us must not
// be able to end a login either. A server with Observe set may leave
// Message-Authenticator out; what it leaves out is counted, so that it is seen
// when Observe can be taken away. A wrong one is never taken.
//
// A server with TLS set is asked over one connection (RFC 6614, RFC 6613), on
// which 255 requests may be on their way, and a Status-Server. Nothing is sent twice on it. The
// Identifier of a request that was given up is not used again before its answer
// has come; where all are gone that way, another connection takes over. If it
// ends, or something comes in on it that is no authentic answer, requests that
// wait end with it, and the next one makes a new connection: at once if the
// last was any good, else after a pause that grows. A connection that says
// nothing is asked by Status-Server from time to time, and ended if it does not
// answer: also one that takes no more requests and waits for its last answers.
package upstream
