// Package smpp hands text messages to a message centre (SMSC) by the Short
// Message Peer-to-Peer protocol, version 3.4, as an External Short Message
// Entity (ESME) that is bound as a transceiver.
//
// A [Client] keeps one connection bound. It opens it again when it is lost,
// after a wait that grows, and asks the other side for a sign of life
// (enquire_link) when nothing was heard for a while. [Client.Send] waits for a
// place in the window of unanswered messages, for the answer, and, while the
// centre says that it is busy, for another try, all within its context.
//
// [Client] is a [mfabridge/cloud/engine/channel/carrier.Driver]. A message is
// sent at most once. Where the connection or the time ended after it was written
// and before the centre answered, nobody knows whether it was taken: that is
// carrier.ErrUnknown, and whoever sends the message a second way must expect
// that it arrives twice.
//
// Texts go in the default alphabet of GSM (3GPP TS 23.038), unpacked, one
// character an octet, or in UCS-2 where that alphabet lacks a character. What
// is longer than one message is cut into parts that telephones join.
//
// Receipts come as deliver_sm (SMPP 3.4 section 4.6 and appendix B), by their
// parameters or, where those are missing, by the text that centres have in
// common. What was never seen with a genuine centre: all of it; the tests
// play the centre from the published shapes, and an independent reader
// dissects what is sent.
package smpp
