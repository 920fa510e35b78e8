package radius

import (
	"crypto/md5"
	"errors"
	"fmt"
)

// MaxSalted is the longest clear value that a salted attribute of 253 octets
// can hold behind a vendor's header, its salt and its length octet.
const MaxSalted = 239

// Salted reveals a value that begins with its salt, as MS-MPPE-Send-Key and
// MS-MPPE-Recv-Key (RFC 2548 section 2.4.2) and Tunnel-Password behind its tag
// (RFC 2868 section 3.5) do. The authenticator is that of the request. A value
// whose lengths do not fit is an error; a wrong secret shows up as one only by
// chance.
func (s *Secret) Salted(value, authenticator []byte) ([]byte, error) {
	if len(value) < 2+md5.Size || len(value) > MaxValue || (len(value)-2)%md5.Size != 0 {
		return nil, fmt.Errorf("salted value has %d octets, not a salt and blocks of 16", len(value))
	}
	if value[0]&0x80 == 0 {
		return nil, errors.New("salt of a salted value has its first bit clear")
	}
	salt, hidden := value[:2], value[2:]
	clear := make([]byte, 0, len(hidden))
	pad := s.saltPad(authenticator, salt)
	for i := 0; i < len(hidden); i += md5.Size {
		block := hidden[i : i+md5.Size]
		for j, c := range block {
			clear = append(clear, c^pad[j])
		}
		pad = s.pad(block)
	}
	n := int(clear[0])
	if n > len(clear)-1 {
		return nil, errors.New("salted value is shorter than it says")
	}
	return clear[1 : 1+n : 1+n], nil
}

// AppendSalted hides a clear value of at most [MaxSalted] octets under the
// request's authenticator, and appends salt and hidden value. The first bit of
// the salt is set here; a packet's salts must differ.
func (s *Secret) AppendSalted(dst, clear, authenticator []byte, salt uint16) ([]byte, error) {
	if len(clear) > MaxSalted {
		return dst, fmt.Errorf("value to be salted has %d octets, more than %d", len(clear), MaxSalted)
	}
	dst = append(dst, byte(salt>>8)|0x80, byte(salt))
	pad := s.saltPad(authenticator, dst[len(dst)-2:])
	at := func(i int) byte {
		switch {
		case i == 0:
			return byte(len(clear))
		case i <= len(clear):
			return clear[i-1]
		}
		return 0
	}
	for i := 0; i <= len(clear); i += md5.Size {
		for j := range md5.Size {
			dst = append(dst, at(i+j)^pad[j])
		}
		pad = s.pad(dst[len(dst)-md5.Size:])
	}
	return dst, nil
}

// saltPad is MD5(secret, authenticator, salt), valid until the next call.
func (s *Secret) saltPad(authenticator, salt []byte) []byte {
	s.md5.Reset()
	s.md5.Write(s.key)
	s.md5.Write(authenticator)
	s.md5.Write(salt)
	return s.md5.Sum(s.out[:0])
}
