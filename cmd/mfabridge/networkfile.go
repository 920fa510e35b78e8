package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"mfabridge/cloud/engine/access"
)

// maxNetworkFile bounds the operator's list of networks, in bytes.
const maxNetworkFile = 64 << 20

// readNetworks reads lines NETWORK,COUNTRY or FIRST,LAST,COUNTRY. A first line
// that begins with a letter and holds no address is a header; empty lines and
// those that begin with # are left out.
func readNetworks(r io.Reader) (all []access.Network, err error) {
	rows := csv.NewReader(io.LimitReader(r, maxNetworkFile+1))
	rows.ReuseRecord, rows.FieldsPerRecord, rows.Comment = true, -1, '#'
	for first := true; ; first = false {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			if rows.InputOffset() > maxNetworkFile {
				return nil, fmt.Errorf("the file has more than %d bytes", maxNetworkFile)
			}
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		line, _ := rows.FieldPos(0)
		n, err := networkOf(row)
		switch {
		case err != nil && first && !strings.ContainsAny(row[0], "./:"):
		case err != nil:
			return nil, fmt.Errorf("line %d: %w", line, err)
		case len(all) == access.MaxNetworks:
			return nil, fmt.Errorf("there are more than %d networks", access.MaxNetworks)
		default:
			all = append(all, n)
		}
	}
}

func networkOf(row []string) (n access.Network, err error) {
	for i := range row {
		row[i] = strings.TrimSpace(row[i])
	}
	switch len(row) {
	case 2:
		p, err := netip.ParsePrefix(row[0])
		if err != nil || p.Addr().Zone() != "" {
			return n, errors.New("the network is none, such as 192.0.2.0/24")
		}
		n = access.Network{First: p.Masked().Addr(), Last: lastOf(p), Country: strings.Clone(row[1])}
	case 3:
		first, err1 := netip.ParseAddr(row[0])
		last, err2 := netip.ParseAddr(row[1])
		if err1 != nil || err2 != nil || first.Zone()+last.Zone() != "" || first.Is4() != last.Is4() || last.Less(first) {
			return n, errors.New("the range is none, such as 192.0.2.0,192.0.2.255")
		}
		n = access.Network{First: first, Last: last, Country: strings.Clone(row[2])}
	default:
		return n, errors.New("it has neither two nor three columns")
	}
	if len(n.Country) != 2 || n.Country != strings.ToUpper(n.Country) {
		return n, errors.New("the country is not two capital letters")
	}
	return n, nil
}

// lastOf is the last address of a network.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}
