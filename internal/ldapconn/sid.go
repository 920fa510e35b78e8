package ldapconn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Limits of a security identifier ([MS-DTYP] 2.4.2.2).
const (
	sidHeader   = 8
	maxSIDParts = 15
	maxSIDTop   = 1<<48 - 1
)

// DecodeSID writes the binary form of objectSid as S-1-….
func DecodeSID(b []byte) (string, error) {
	if len(b) < sidHeader || b[0] != 1 || b[1] > maxSIDParts || len(b) != sidHeader+4*int(b[1]) {
		return "", fmt.Errorf("%d bytes are no security identifier", len(b))
	}
	var top [8]byte
	copy(top[2:], b[2:sidHeader])
	out := append([]byte("S-1-"), strconv.FormatUint(binary.BigEndian.Uint64(top[:]), 10)...)
	for rest := b[sidHeader:]; len(rest) > 0; rest = rest[4:] {
		out = strconv.AppendUint(append(out, '-'), uint64(binary.LittleEndian.Uint32(rest)), 10)
	}
	return string(out), nil
}

// EncodeSID is the reverse of DecodeSID.
func EncodeSID(s string) ([]byte, error) {
	parts := strings.Split(s, "-")
	if len(parts) < 3 || len(parts) > 3+maxSIDParts || !strings.EqualFold(parts[0], "S") || parts[1] != "1" {
		return nil, errors.New("a security identifier is written S-1-…")
	}
	top, err := strconv.ParseUint(parts[2], 10, 64)
	if err != nil || top > maxSIDTop {
		return nil, errors.New("the authority of a security identifier is a number below 2^48")
	}
	var wide [8]byte
	binary.BigEndian.PutUint64(wide[:], top)
	out := append([]byte{1, byte(len(parts) - 3)}, wide[2:]...)
	for _, part := range parts[3:] {
		n, err := strconv.ParseUint(part, 10, 32)
		if err != nil {
			return nil, errors.New("a part of a security identifier is no number below 2^32")
		}
		out = binary.LittleEndian.AppendUint32(out, uint32(n))
	}
	return out, nil
}
