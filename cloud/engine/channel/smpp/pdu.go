package smpp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Commands (SMPP 3.4 section 5.1.2.1). An answer has the highest bit set.
const (
	genericNack     uint32 = 0x80000000
	submitSM        uint32 = 0x00000004
	deliverSM       uint32 = 0x00000005
	unbind          uint32 = 0x00000006
	bindTransceiver uint32 = 0x00000009
	enquireLink     uint32 = 0x00000015

	answer uint32 = 0x80000000
)

// version is the interface_version of a bind: 3.4.
const version = 0x34

// Optional parameters (section 5.3.2).
const (
	tagReceiptedMessageID uint16 = 0x001E
	tagMessageState       uint16 = 0x0427
)

// Limits. A PDU that a centre sends has no reason to be long: a text message
// is 254 octets, an optional parameter rarely longer.
const (
	headerLen = 16
	maxPDU    = 8 << 10
	maxTLVs   = 64

	maxSystemID   = 15 // without the closing zero (section 4.1.1)
	maxPassword   = 8
	maxSystemType = 12
	maxAddress    = 20
	maxMessageID  = 64
)

// pdu is one protocol data unit.
type pdu struct {
	command  uint32
	status   uint32
	sequence uint32
	body     []byte
}

// append writes a PDU behind b.
func (p pdu) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(headerLen+len(p.body)))
	b = binary.BigEndian.AppendUint32(b, p.command)
	b = binary.BigEndian.AppendUint32(b, p.status)
	b = binary.BigEndian.AppendUint32(b, p.sequence)
	return append(b, p.body...)
}

// errLength is a PDU after which nothing can be read: where the next one
// begins is not known.
var errLength = errors.New("a length that no message of this protocol has")

// readPDU reads one PDU. Its body is made anew.
func readPDU(r io.Reader) (pdu, error) {
	var head [headerLen]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return pdu{}, err
	}
	length := binary.BigEndian.Uint32(head[0:])
	if length < headerLen || length > maxPDU {
		return pdu{}, errLength
	}
	p := pdu{command: binary.BigEndian.Uint32(head[4:]), status: binary.BigEndian.Uint32(head[8:]),
		sequence: binary.BigEndian.Uint32(head[12:]), body: make([]byte, length-headerLen)}
	if _, err := io.ReadFull(r, p.body); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return pdu{}, err
	}
	return p, nil
}

// reader takes a body apart. The first thing that is wrong stays in err, and
// everything read after it is empty.
type reader struct {
	rest []byte
	err  error
}

var errShort = errors.New("it ends too early")

func (r *reader) octet() byte {
	b := r.octets(1)
	if len(b) == 0 {
		return 0
	}
	return b[0]
}

func (r *reader) octets(n int) []byte {
	if r.err == nil && len(r.rest) < n {
		r.err = errShort
	}
	if r.err != nil {
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

// text reads a C-octet string of at most limit octets without its zero.
func (r *reader) text(field string, limit int) string {
	if r.err != nil {
		return ""
	}
	end := bytes.IndexByte(r.rest[:min(len(r.rest), limit+1)], 0)
	if end < 0 {
		r.err = fmt.Errorf("its %s has no end", field)
		return ""
	}
	s := string(r.rest[:end])
	r.rest = r.rest[end+1:]
	return s
}

// options reads the optional parameters, which end the body.
func (r *reader) options(each func(tag uint16, value []byte)) {
	for n := 0; r.err == nil && len(r.rest) > 0; n++ {
		if n == maxTLVs {
			r.err = errors.New("it has too many optional parameters")
			return
		}
		head := r.octets(4)
		if r.err != nil {
			return
		}
		value := r.octets(int(binary.BigEndian.Uint16(head[2:])))
		if r.err == nil {
			each(binary.BigEndian.Uint16(head), value)
		}
	}
}

// appendText writes a C-octet string.
func appendText(b []byte, s string) []byte { return append(append(b, s...), 0) }
