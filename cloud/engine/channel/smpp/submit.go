package smpp

import (
	"fmt"
	"strings"
	"time"
)

// Types of numbers and numbering plans of an address (section 5.2.5 and 5.2.6).
const (
	tonUnknown       byte = 0
	tonInternational byte = 1
	tonAlphanumeric  byte = 5
	npiUnknown       byte = 0
	npiISDN          byte = 1
)

// Flags of esm_class (section 5.2.12).
const (
	esmReceipt byte = 0x04 // deliver_sm: a receipt; bits 5 to 2
	esmTypes   byte = 0x3c
	esmUDHI    byte = 0x40 // the message begins with a header
)

const receiptWanted byte = 0x01 // registered_delivery: one, when the outcome is known

// address is where a message comes from or goes to.
type address struct {
	ton, npi byte
	digits   string
}

// international is a number "+CC…" as networks take it.
func international(number string) address {
	return address{tonInternational, npiISDN, strings.TrimPrefix(number, "+")}
}

// parseSource reads the sender that users see: "+CC…", a short code, or up to
// eleven letters and digits.
func parseSource(s string) (address, error) {
	digits := strings.Trim(s, "0123456789") == ""
	switch {
	case s == "":
		return address{tonUnknown, npiUnknown, ""}, nil
	case strings.HasPrefix(s, "+") && len(s) <= 16 && len(s) > 5 && strings.Trim(s[1:], "0123456789") == "":
		return international(s), nil
	case digits && len(s) <= 15:
		return address{tonUnknown, npiISDN, s}, nil
	case len(s) <= 11 && isAlphanumeric(s):
		return address{tonAlphanumeric, npiUnknown, s}, nil
	}
	return address{}, fmt.Errorf("the source is neither a number +CC…, nor a short code, nor a name of up to eleven letters, digits and spaces")
}

func isAlphanumeric(s string) bool {
	for _, r := range s {
		if r != ' ' && r != '-' && r != '.' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			return false
		}
	}
	return true
}

func (a address) append(b []byte) []byte { return appendText(append(b, a.ton, a.npi), a.digits) }

// part is one of the messages that a text is cut into.
type part struct {
	from, to address
	validity string
	coding   byte
	header   []byte // of a cut text
	content  []byte
}

// body is a submit_sm (section 4.4.1).
func (p part) body() []byte {
	b := make([]byte, 0, 96+len(p.header)+len(p.content))
	b = appendText(b, "") // service_type: the centre's default
	b = p.from.append(b)
	b = p.to.append(b)
	class := byte(0)
	if len(p.header) > 0 {
		class |= esmUDHI
	}
	b = append(b, class, 0, 0)    // esm_class, protocol_id, priority_flag
	b = appendText(b, "")         // schedule_delivery_time: now
	b = appendText(b, p.validity) // validity_period
	b = append(b, receiptWanted, 0, p.coding, 0, byte(len(p.header)+len(p.content)))
	return append(append(b, p.header...), p.content...)
}

// joined is the header by which a telephone joins parts (3GPP TS 23.040
// section 9.2.3.24.1).
func joined(reference byte, total, number int) []byte {
	return []byte{5, 0, 3, reference, byte(total), byte(number)}
}

// relative is a validity_period from now (section 7.1.1.2), in whole seconds,
// under a day: a code that has run out is not worth delivering.
func relative(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	s := int(min(d, 24*time.Hour-time.Second) / time.Second)
	return fmt.Sprintf("000000%02d%02d%02d000R", s/3600, s/60%60, s%60)
}
