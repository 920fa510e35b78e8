package serve

import (
	"container/list"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"mfabridge/internal/seldom"
)

// part is which part of all connections one address has at most where others
// want in: a quarter.
const part = 4

// bounder is a listener with a bounded number of connections: the next one is
// taken when another has ended. Who holds places without asking anything loses
// them by the timeouts, and whoever goes on asking keeps nobody else out: where
// all places are taken, an address with more than its share makes room for
// others by its oldest connection, and gets no more.
type bounder struct {
	net.Listener
	places chan struct{}
	spared []netip.Prefix // that many people come from: proxies
	once   sync.Once
	closed chan struct{}

	log          *slog.Logger
	advice       string      // where all places are taken
	failed, full seldom.Word // to the log

	mu   sync.Mutex
	held map[netip.Prefix]*list.List // of *placed, the oldest first
}

// Bound bounds a listener that is of no Group in the same way; advice is what to
// do where all connections are taken.
func Bound(l net.Listener, most int, advice string, log *slog.Logger) net.Listener {
	b := newBounder(l, most, nil, log)
	b.advice = advice
	return b
}

func newBounder(l net.Listener, most int, spared []netip.Prefix, log *slog.Logger) *bounder {
	return &bounder{Listener: l, places: make(chan struct{}, most), spared: spared, closed: make(chan struct{}), advice: "raise limits.connections if these are people's own",
		log: log.With("listen", l.Addr().String()), held: map[netip.Prefix]*list.List{}}
}

// Accept waits for a connection, then for a place.
func (b *bounder) Accept() (net.Conn, error) {
	for {
		c, err := b.Listener.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				b.complain(&b.failed, "no connection can be taken", "err", err,
					"hint", "if the process has too many files open, raise its limit (LimitNOFILE in its unit)")
			}
			return nil, err
		}
		from := b.origin(c)
		if !b.room(from) {
			_ = c.Close()
			continue
		}
		select {
		case b.places <- struct{}{}:
			return b.placed(c, from), nil
		case <-b.closed:
			_ = c.Close()
			return nil, net.ErrClosed
		}
	}
}

// complain tells the log of a trouble, if it was not told lately.
func (b *bounder) complain(word *seldom.Word, trouble string, attributes ...any) {
	if word.Due(time.Now()) {
		b.log.Error(trouble, attributes...)
	}
}

// Close ends the listener, and who waits in Accept.
func (b *bounder) Close() error {
	b.once.Do(func() { close(b.closed) })
	return b.Listener.Close()
}

// origin is for whom a connection counts.
func (b *bounder) origin(c net.Conn) netip.Prefix {
	at, _ := netip.ParseAddrPort(c.RemoteAddr().String())
	spared := Proxies{Networks: b.spared}
	return spared.single(at.Addr())
}

// room makes room for a connection where all places are taken and somebody else
// has more than their share; false: it is they who want one more.
func (b *bounder) room(from netip.Prefix) bool {
	if len(b.places) < cap(b.places) {
		return true
	}
	b.complain(&b.full, "all connections that a listener may have are taken", "connections", cap(b.places), "hint", b.advice)
	b.mu.Lock()
	var oldest *placed
	most := 0
	for at, all := range b.held {
		if n := all.Len(); n*part > cap(b.places) {
			if at == from {
				b.mu.Unlock()
				return false
			}
			if n > most {
				most, oldest = n, all.Front().Value.(*placed)
			}
		}
	}
	b.mu.Unlock()
	if oldest != nil {
		_ = oldest.Close()
	}
	return true
}

func (b *bounder) placed(c net.Conn, from netip.Prefix) *placed {
	p := &placed{Conn: c}
	if !from.IsValid() {
		p.leave = sync.OnceFunc(func() { <-b.places })
		return p
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.held[from]
	if all == nil {
		all = list.New()
		b.held[from] = all
	}
	at := all.PushBack(p)
	p.leave = sync.OnceFunc(func() {
		b.mu.Lock()
		if all.Remove(at); all.Len() == 0 {
			delete(b.held, from)
		}
		b.mu.Unlock()
		<-b.places
	})
	return p
}

// placed is a connection that gives its place back.
type placed struct {
	net.Conn
	leave func()
}

func (p *placed) Close() error {
	p.leave()
	return p.Conn.Close()
}
