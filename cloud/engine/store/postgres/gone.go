package postgres

import (
	"net"
	"time"
)

// goneLimit is how long nothing may be heard of a server's machine while
// something is to be: one that works slowly still says that it has got what was
// sent to it, one that is gone does not.
const goneLimit = 8 * time.Second

// dialer makes connections that end by themselves when the other machine is gone.
func dialer() *net.Dialer {
	return &net.Dialer{Control: limitSilence, KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: goneLimit / 2, Interval: goneLimit / 4, Count: 2}}
}
