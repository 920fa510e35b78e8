package smpp

import (
	"fmt"

	"mfabridge/cloud/engine/channel/carrier"
)

// Statuses that are told apart (section 5.1.3).
const (
	statusOK          uint32 = 0x00
	statusBadCommand  uint32 = 0x03
	statusBadState    uint32 = 0x04
	statusAlready     uint32 = 0x05
	statusBadLength   uint32 = 0x02
	statusSystem      uint32 = 0x08
	statusBadDest     uint32 = 0x0b
	statusBindFailed  uint32 = 0x0d
	statusBadPassword uint32 = 0x0e
	statusBadID       uint32 = 0x0f
	statusQueueFull   uint32 = 0x14
	statusSubmit      uint32 = 0x45
	statusBadType     uint32 = 0x53
	statusThrottled   uint32 = 0x58
)

// names of statuses as the specification has them, for people who look one up.
var names = map[uint32]string{
	statusBadLength: "ESME_RINVCMDLEN", statusBadCommand: "ESME_RINVCMDID", statusAlready: "ESME_RALYBND", statusSystem: "ESME_RSYSERR",
	0x01: "ESME_RINVMSGLEN", statusBadState: "ESME_RINVBNDSTS", 0x06: "ESME_RINVPRTFLG", 0x07: "ESME_RINVREGDLVFLG", 0x0a: "ESME_RINVSRCADR",
	statusBadDest: "ESME_RINVDSTADR", 0x0c: "ESME_RINVMSGID", statusBindFailed: "ESME_RBINDFAIL", statusBadPassword: "ESME_RINVPASWD",
	statusBadID: "ESME_RINVSYSID", statusQueueFull: "ESME_RMSGQFUL", 0x43: "ESME_RINVESMCLASS", statusSubmit: "ESME_RSUBMITFAIL",
	0x48: "ESME_RINVSRCTON", 0x49: "ESME_RINVSRCNPI", 0x50: "ESME_RINVDSTTON", 0x51: "ESME_RINVDSTNPI", statusBadType: "ESME_RINVSYSTYP",
	statusThrottled: "ESME_RTHROTTLED", 0x61: "ESME_RINVSCHED", 0x62: "ESME_RINVEXPIRY", 0x64: "ESME_RX_T_APPN", 0x65: "ESME_RX_P_APPN",
	0x66: "ESME_RX_R_APPN", 0xfe: "ESME_RDELIVERYFAILURE", 0xff: "ESME_RUNKNOWNERR",
}

// Refused is the answer of a centre that has not taken a message.
type Refused struct {
	Status uint32 // command_status, section 5.1.3
}

// Error names the status; it holds nothing of the message.
func (r *Refused) Error() string {
	if name, known := names[r.Status]; known {
		return "the message centre answered " + name
	}
	return fmt.Sprintf("the message centre answered with status 0x%08x", r.Status)
}

// Unwrap is carrier.ErrUnwell where the centre takes nothing just now, whatever
// the message.
func (r *Refused) Unwrap() error {
	switch r.Status {
	case statusThrottled, statusQueueFull, statusSystem, statusAlready, statusBadState, statusBindFailed, statusBadPassword, statusBadID, statusBadType:
		return carrier.ErrUnwell
	}
	return nil
}

// busy tells whether the same message may be taken a little later.
func (r *Refused) busy() bool { return r.Status == statusThrottled || r.Status == statusQueueFull }

var (
	// ErrNotBound says that no connection was bound in time: the message was not
	// sent.
	ErrNotBound = carrier.Mark(carrier.ErrUnwell, "the message centre could not be reached in time")

	// ErrClosed says that the client was closed.
	ErrClosed = carrier.Mark(carrier.ErrUnwell, "the connection to the message centre was closed")
)
