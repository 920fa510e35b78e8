package ldaptest

import (
	"bufio"
	"net"
	"sync"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
)

// Reply is how a [Scripted] peer answers one request.
type Reply struct {
	Entries []Entry
	Code    int64  // result code; 0: success
	Message string // diagnostic message
	Cookie  string // of a paged answer; there is more if it is not empty
	Policy  int64  // error of the password policy control; see HasPolicy
	Hang    bool   // no answer at all
	Drop    bool   // Entries, then the connection ends

	HasPolicy bool
}

// Entry is an entry of an answer.
type Entry struct {
	DN         string
	Attributes map[string][]string
}

// Request is what a client asks.
type Request struct {
	Bind     bool
	Name     string // of a bind, or the base of a search
	Password string // of a bind
	Cookie   string // of a search
}

// Scripted is no LDAP server: it answers requests as the test's script says,
// in the words of Active Directory where slapd has none. It knows no TLS.
type Scripted struct {
	URL string

	mu       sync.Mutex
	requests []Request
}

// Script starts a scripted peer that ends with the test. answer may be called
// concurrently.
func Script(t testing.TB, answer func(Request) Reply) *Scripted {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Scripted{URL: "ldap://" + l.Addr().String()}
	done := make(chan struct{})
	var open sync.WaitGroup
	t.Cleanup(func() { close(done); _ = l.Close(); open.Wait() })
	open.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				ended := make(chan struct{})
				go func() {
					select {
					case <-done:
					case <-ended:
					}
					_ = c.Close()
				}()
				defer close(ended)
				s.serve(c, answer)
			})
		}
	})
	return s
}

// Requests are all binds and searches that came, in their order.
func (s *Scripted) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

func (s *Scripted) serve(c net.Conn, answer func(Request) Reply) {
	in := bufio.NewReader(c)
	for {
		packet, err := ber.ReadPacket(in)
		if err != nil || len(packet.Children) < 2 {
			return
		}
		id, op := packet.Children[0].Value.(int64), packet.Children[1]
		var request Request
		response := ber.Tag(5)
		switch op.Tag {
		case 0:
			request = Request{Bind: true, Name: op.Children[1].Value.(string), Password: op.Children[2].Data.String()}
			response = 1
		case 3:
			request = Request{Name: op.Children[0].Value.(string), Cookie: cookieOf(packet)}
		default: // unbind
			return
		}
		s.mu.Lock()
		s.requests = append(s.requests, request)
		s.mu.Unlock()
		reply := answer(request)
		if reply.Hang {
			continue
		}
		for _, e := range reply.Entries {
			if _, err := c.Write(message(id, e.packet()).Bytes()); err != nil {
				return
			}
		}
		if reply.Drop {
			return
		}
		if _, err := c.Write(reply.result(id, response, op.Tag == 3).Bytes()); err != nil {
			return
		}
	}
}

func cookieOf(packet *ber.Packet) string {
	if len(packet.Children) < 3 {
		return ""
	}
	for _, control := range packet.Children[2].Children {
		value := control.Children[len(control.Children)-1]
		inner, err := ber.DecodePacketErr(value.Data.Bytes())
		if err == nil && len(inner.Children) == 2 {
			return inner.Children[1].Data.String()
		}
	}
	return ""
}

func message(id int64, op *ber.Packet) *ber.Packet {
	p := ber.NewSequence("message")
	p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, "id"))
	p.AppendChild(op)
	return p
}

func text(s string) *ber.Packet {
	return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, s, "")
}

func (e Entry) packet() *ber.Packet {
	p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, 4, nil, "entry")
	p.AppendChild(text(e.DN))
	attributes := ber.NewSequence("attributes")
	for name, values := range e.Attributes {
		attribute := ber.NewSequence(name)
		attribute.AppendChild(text(name))
		set := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "values")
		for _, v := range values {
			set.AppendChild(text(v))
		}
		attribute.AppendChild(set)
		attributes.AppendChild(attribute)
	}
	p.AppendChild(attributes)
	return p
}

func (r Reply) result(id int64, tag ber.Tag, paged bool) *ber.Packet {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "result")
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, r.Code, "code"))
	op.AppendChild(text(""))
	op.AppendChild(text(r.Message))
	p := message(id, op)
	controls := ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "controls")
	switch {
	case paged && r.Code == 0:
		value := ber.NewSequence("page")
		value.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, int64(0), "size"))
		value.AppendChild(text(r.Cookie))
		controls.AppendChild(control("1.2.840.113556.1.4.319", value))
	case r.HasPolicy:
		value := ber.NewSequence("policy")
		value.AppendChild(ber.NewInteger(ber.ClassContext, ber.TypePrimitive, 1, r.Policy, "error"))
		controls.AppendChild(control("1.3.6.1.4.1.42.2.27.8.5.1", value))
	}
	if len(controls.Children) > 0 {
		p.AppendChild(controls)
	}
	return p
}

func control(oid string, value *ber.Packet) *ber.Packet {
	p := ber.NewSequence("control")
	p.AppendChild(text(oid))
	p.AppendChild(text(string(value.Bytes())))
	return p
}
