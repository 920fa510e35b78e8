package smpp

import (
	"strings"

	"mfabridge/cloud/engine/channel/carrier"
)

// states are those of a message by number (section 5.2.28), as the text of
// receipts shortens them (appendix B).
var states = [...]string{1: "ENROUTE", "DELIVRD", "EXPIRED", "DELETED", "UNDELIV", "ACCEPTD", "UNKNOWN", "REJECTD"}

// status is what a state means; UNKNOWN, and what the specification does not
// have, mean nothing.
func status(state string) carrier.Status {
	switch strings.ToUpper(state) {
	case "DELIVRD":
		return carrier.Delivered
	case "EXPIRED", "DELETED", "UNDELIV", "REJECTD":
		return carrier.Failed
	case "ENROUTE", "ACCEPTD":
		return carrier.Sent
	}
	return ""
}

// parseReceipt reads a deliver_sm. One that is no receipt, but a text that
// somebody sent to us, or says nothing, has found false.
func parseReceipt(body []byte) (receipt carrier.Receipt, found bool, err error) {
	r := reader{rest: body}
	r.text("service_type", 5)
	r.octets(2)
	r.text("source_addr", maxAddress)
	r.octets(2)
	r.text("destination_addr", maxAddress)
	class := r.octet()
	r.octets(2)
	r.text("schedule_delivery_time", 16)
	r.text("validity_period", 16)
	r.octets(4) // registered_delivery, replace_if_present_flag, data_coding, sm_default_msg_id
	id, state := fromText(string(r.octets(int(r.octet()))))
	r.options(func(tag uint16, value []byte) {
		switch {
		case tag == tagReceiptedMessageID && len(value) <= maxMessageID+1:
			id = strings.TrimRight(string(value), "\x00")
		case tag == tagMessageState && len(value) == 1 && int(value[0]) < len(states):
			state = states[value[0]]
		}
	})
	if r.err != nil {
		return carrier.Receipt{}, false, r.err
	}
	receipt = carrier.Receipt{ID: id, Status: status(state)}
	return receipt, class&esmTypes == esmReceipt && id != "" && receipt.Status != "", nil
}

// fromText reads "id:… … stat:DELIVRD …" (appendix B).
func fromText(text string) (id, state string) {
	for word := range strings.FieldsSeq(text) {
		name, value, cut := strings.Cut(word, ":")
		switch name = strings.ToLower(name); {
		case !cut:
		case name == "id" && id == "" && len(value) <= maxMessageID:
			id = value
		case name == "stat" && state == "":
			state = value
		case name == "text": // what follows is the message's own
			return id, state
		}
	}
	return id, state
}
