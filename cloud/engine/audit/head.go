package audit

import (
	"encoding/binary"
	"strconv"
)

// Names of Meta values that stores know of.
const (
	MetaChain = "chain/"      // and a node: there is a chain of that name, and its [Head] where all its entries were removed
	MetaFloor = "audit-floor" // decimal: entries up to that Seq were removed
)

// Head is the last entry of a node in the audit; zero: there is none.
type Head struct {
	Number int64
	Link   []byte
}

// ParseHead reads the value of [MetaChain] and a node.
func ParseHead(value []byte) Head {
	if len(value) <= 8 {
		return Head{}
	}
	return Head{Number: int64(binary.BigEndian.Uint64(value)), Link: value[8:]}
}

// oldEnd is what [MoveFloor] needs of a transaction.
type oldEnd interface {
	// Audit are at most limit entries behind the Seq after.
	Audit(after int64, limit int) ([]Entry, error)
	SetMeta(name string, value []byte) error
}

// MoveFloor is for stores, before they remove entries: it keeps the ends of the
// chains in at most limit of the oldest entries up to through, and moves the
// floor up to the last of these. It returns the floor and how many they are.
func MoveFloor(tx oldEnd, through int64, limit int) (floor int64, gone int, err error) {
	old, err := tx.Audit(0, limit)
	if err != nil {
		return 0, 0, err
	}
	ends := map[string][]byte{}
	for ; gone < len(old) && old[gone].Seq <= through; gone++ {
		e := &old[gone]
		floor = e.Seq
		if e.Number > 0 {
			ends[e.Node] = append(binary.BigEndian.AppendUint64(nil, uint64(e.Number)), e.Link...)
		}
	}
	if gone == 0 {
		return 0, 0, nil
	}
	for node, end := range ends {
		if err := tx.SetMeta(MetaChain+node, end); err != nil {
			return 0, 0, err
		}
	}
	return floor, gone, tx.SetMeta(MetaFloor, strconv.AppendInt(nil, floor, 10))
}
