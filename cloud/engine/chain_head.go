package engine

import (
	"encoding/binary"
	"strconv"
)

// Names of Meta values that stores know of.
const (
	MetaChain = "chain/"      // and a node: there is a chain of that name, and its [ChainHead] where all its entries were removed
	MetaFloor = "audit-floor" // decimal: entries up to that Seq were removed
)

// ChainHead is the last entry of a node in the audit; zero: there is none.
type ChainHead struct {
	Number int64
	Link   []byte
}

// ParseChainHead reads the value of [MetaChain] and a node.
func ParseChainHead(value []byte) ChainHead {
	if len(value) <= 8 {
		return ChainHead{}
	}
	return ChainHead{Number: int64(binary.BigEndian.Uint64(value)), Link: value[8:]}
}

// MoveFloor is for stores, before they remove entries: it keeps the ends of the
// chains in at most limit of the oldest entries up to through, and moves the
// floor up to the last of these. It returns the floor and how many they are.
func MoveFloor(tx Tx, through int64, limit int) (floor int64, gone int, err error) {
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
