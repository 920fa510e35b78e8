package storetest

import (
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
)

// Suite checks a driver. open returns a place of its own for each test.
func Suite(t *testing.T, open func(t *testing.T) Place) {
	for name, check := range map[string]func(*testing.T, Place){
		"an error undoes one update":            errorUndoesOne,
		"a fault undoes one update":             panicUndoesOne,
		"an error after writing undoes it":      errorAfterReading,
		"a taken serial lets the update go on":  takenSerial,
		"of two uses the later counts":          spentKeepsTheLater,
		"who else has a secret":                 holderBesides,
		"what is put is read":                   rowsComeBack,
		"updates at once are serial":            updatesAtOnce,
		"updates at random":                     updatesAtRandom,
		"rows keep their order":                 inItsOrder,
		"rows are told apart":                   apartFromOthers,
		"what was sent is forgotten":            sentIsForgotten,
		"slips end":                             slipsEnd,
		"values go":                             valuesGo,
		"bytes that are nil are none":           nilIsEmpty,
		"text that is no text":                  strangeText,
		"the audit is one chain for each node":  auditChains,
		"the audit keeps what it says":          auditKeeps,
		"nothing of before is good":             fenced,
		"members go":                            membersGo,
		"counts go":                             failuresGo,
		"applications go":                       appsGo,
		"a key leads to its latest challenge":   keysLead,
		"keys are known to all who write":       keysElsewhere,
		"keys are known in turn":                keysInTurn,
		"a closed store refuses":                closed,
		"a caller who has left is not served":   left,
		"what fails is told":                    faultsAreTold,
		"a lock keeps others out, and ends":     locks,
		"updates of several handles are serial": serial,
		"a block holds on the next node":        blockElsewhere,
		"a challenge is answered elsewhere":     answerElsewhere,
		"a code is used once across nodes":      usedOnce,
		"verdicts wake other nodes":             wokenElsewhere,
		"keys are rotated under other nodes":    keysRotate,
		"a person is erased":                    personGoes,
		"a store is brought back":               broughtBack,
	} {
		t.Run(name, func(t *testing.T) { check(t, open(t)) })
	}
	t.Run("directory", func(t *testing.T) {
		cloudtest.Directory(t, func(t *testing.T) cloud.Directory { return open(t).nodes(t, 1)[0] })
	})
	t.Run("verifier", func(t *testing.T) {
		cloudtest.Verifier(t, func(t *testing.T) *cloudtest.Peer { return peer(open(t).nodes(t, 1)[0], nil) })
	})
	t.Run("verifier by the dozen", func(t *testing.T) {
		cloudtest.Verifier(t, func(t *testing.T) *cloudtest.Peer {
			n := open(t).nodes(t, 1)[0]
			p := peer(n, nil)
			p.Verifier = cloudtest.Settled{Settling: n}
			reopen := p.Reopen
			p.Reopen = func(t *testing.T) (cloud.Verifier, cloud.Directory) {
				_, d := reopen(t)
				return cloudtest.Settled{Settling: n}, d
			}
			return p
		})
	})
	// What one node begins the other one goes on with.
	t.Run("verifier on two nodes", func(t *testing.T) {
		cloudtest.Verifier(t, func(t *testing.T) *cloudtest.Peer {
			both := open(t).nodes(t, 2)
			return peer(both[0], both[1])
		})
	})
}

func peer(n, other *node) *cloudtest.Peer {
	p := &cloudtest.Peer{Verifier: n, Directory: n, Now: n.clock.Now, Advance: n.clock.Advance, SentCode: n.sent.code,
		Reopen: func(t *testing.T) (cloud.Verifier, cloud.Directory) { n.Reopen(t); return n, n }}
	if other != nil {
		p.Verifier, p.Directory = &relay{Engine: n.Engine, other: other.Engine}, other
		p.Reopen = nil
	}
	return p
}
