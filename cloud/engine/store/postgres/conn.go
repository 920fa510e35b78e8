package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/store/rows"
)

// conn is one connection with its prepared statements and what it has still
// to send. It has one user at a time. All values travel in binary form: text
// as it is, numbers as 8 bytes, bytes as they are.
type conn struct {
	place    place
	pg       *pgconn.PgConn // nil: not connected
	stmts    map[string]*pgconn.StatementDescription
	queue    []call
	answered bool // the server has answered something since begin
	warned   bool // the server has said something beside an answer
	ctx      context.Context
	first    time.Duration // how long the first answer since begin may take; 0: as long as ctx says
}

// call is a statement to be sent.
type call struct {
	text string
	args [][]byte
	scan func(rows.Row) error // nil: rows are not wanted
}

// row implements [rows.Row] on what the server sent.
type row struct {
	values [][]byte
	at     int
}

func (r *row) next() []byte {
	r.at++
	return r.values[r.at-1]
}

func (r *row) Text() string  { return string(r.next()) }
func (r *row) Bytes() []byte { return slices.Clone(r.next()) }

func (r *row) Number() int64 {
	b := r.next()
	if len(b) != 8 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(b))
}

// binaryForm says of all values of a statement that they are in binary form.
var binaryForm = []int16{1}

// begin forgets what came before and queues the statements of a beginning.
// ctx bounds everything up to the next begin.
func (c *conn) begin(ctx context.Context, text string) {
	c.ctx, c.queue, c.answered = ctx, c.queue[:0], false
	if !c.broken() && !c.place.lines.current(c.pg) {
		c.close()
	}
	c.queue = append(c.queue, call{text: text})
}

// later queues a statement that nobody waits for.
func (c *conn) later(text string, args ...any) error {
	values, ok := encode(args)
	if !ok {
		return &cloud.Error{Kind: cloud.Invalid, Message: "a value holds a NUL or is not UTF-8, which PostgreSQL cannot keep"}
	}
	c.queue = append(c.queue, call{text: text, args: values})
	return nil
}

// must is later for values of ours.
func (c *conn) must(text string, args ...any) {
	values, _ := encode(args)
	c.queue = append(c.queue, call{text: text, args: values})
}

// query sends what is queued and a statement, and hands each of its rows to
// scan; the row is reused. Text that cannot be in the database finds nothing.
func (c *conn) query(text string, scan func(rows.Row), args ...any) error {
	values, ok := encode(args)
	if !ok {
		return nil
	}
	c.queue = append(c.queue, call{text: text, args: values, scan: func(row rows.Row) error { scan(row); return nil }})
	return c.flush()
}

// maxDials is how often one transaction may find its connection broken before
// the server has answered anything.
const maxDials = 3

// flush sends what is queued and takes the answers. Where the connection turns
// out to be broken before the server has answered anything in this
// transaction, nothing has happened yet: it is sent again on a new one. After
// that the transaction is lost, and nothing of it may run outside of one.
func (c *conn) flush() error {
	if c.answered && c.broken() {
		return unavailable("the connection to the database broke", nil)
	}
	for try := 1; ; try++ {
		if err := c.connect(); err != nil { // it has waited already
			return failure(err)
		}
		err := c.sendFirst()
		if err == nil {
			c.answered = true
			c.queue = c.queue[:0]
			return nil
		}
		if !c.broken() {
			c.answered = true
			return failure(err)
		}
		if c.answered || try == maxDials || c.ctx.Err() != nil {
			return failure(err)
		}
	}
}

// broken tells whether the connection is of no use any more.
func (c *conn) broken() bool { return c.pg == nil || c.pg.IsClosed() }

// sendFirst is send, which does not wait long for the first answer: a server
// that hangs keeps its connections, and is found out by its silence.
func (c *conn) sendFirst() error {
	if c.answered || c.first <= 0 {
		return c.send()
	}
	whole := c.ctx
	limit, cancel := context.WithTimeout(whole, c.first)
	defer cancel()
	c.ctx = limit
	defer func() { c.ctx = whole }()
	return c.send()
}

// send is one round trip with everything that is queued.
func (c *conn) send() (err error) {
	p := c.pg.StartPipeline(c.ctx)
	defer func() {
		if e := p.Close(); err == nil {
			err = e
		}
	}()
	fresh := map[string]bool{}
	for i := range c.queue {
		text, args := c.queue[i].text, c.queue[i].args
		if known := c.stmts[text]; known != nil {
			p.SendQueryStatement(known, args, binaryForm, binaryForm)
			continue
		}
		if !fresh[text] {
			fresh[text] = true
			p.SendPrepare(c.name(text), text, nil)
		}
		p.SendQueryPrepared(c.name(text), args, binaryForm, binaryForm)
	}
	if err := p.Sync(); err != nil {
		return err
	}
	for i := range c.queue {
		if err := c.take(p, &c.queue[i], fresh); err != nil {
			return err
		}
	}
	return nil
}

// name is what a statement is called on the server.
func (c *conn) name(text string) string { return digestOf(text) }

// take reads the answer to one call.
func (c *conn) take(p *pgconn.Pipeline, call *call, fresh map[string]bool) error {
	if fresh[call.text] {
		fresh[call.text] = false
		got, err := p.GetResults()
		if err != nil {
			return err
		}
		made, ok := got.(*pgconn.StatementDescription)
		if !ok {
			return fmt.Errorf("the server answered a statement with %T", got)
		}
		made.Name = c.name(call.text)
		c.stmts[call.text] = made
	}
	got, err := p.GetResults()
	if err != nil {
		return err
	}
	r, ok := got.(*pgconn.ResultReader)
	if !ok {
		return fmt.Errorf("the server answered a query with %T", got)
	}
	var unread error
	var given row
	for r.NextRow() {
		if call.scan != nil && unread == nil {
			given = row{values: r.Values()}
			unread = call.scan(&given)
		}
	}
	_, err = r.Close()
	return errors.Join(err, unread)
}

// drop takes the last n writes out of the queue again.
func (c *conn) drop(n int) { c.queue = c.queue[:len(c.queue)-n] }

// abandon ends a transaction that is not to be committed.
func (c *conn) abandon() {
	c.queue = c.queue[:0]
	if c.broken() || !c.answered {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), abandonPatience)
	defer cancel()
	c.ctx = ctx
	c.queue = append(c.queue, call{text: sqlRollback})
	if err := c.send(); err != nil {
		c.close()
	}
	c.queue = c.queue[:0]
}

// abandonPatience is how long a rollback may take before the connection is
// given up, which is one too.
const abandonPatience = 5 * time.Second

// close ends the connection; it can be used again, and connects anew.
func (c *conn) close() {
	if c.pg == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = c.pg.Close(ctx) // what the server has not heard it will find out
	c.pg = nil
}

// encode turns values into their binary form. It says no to text that a
// database in UTF-8 cannot hold.
func encode(args []any) ([][]byte, bool) {
	values := make([][]byte, len(args))
	for i, arg := range args {
		switch v := arg.(type) {
		case string:
			values[i] = append(make([]byte, 0, len(v)), v...)
			if !utf8.Valid(values[i]) || slices.Contains(values[i], 0) {
				return nil, false
			}
		case int64:
			values[i] = binary.BigEndian.AppendUint64(nil, uint64(v))
		case []byte: // nil: NULL
			values[i] = v
		case nil:
		default:
			panic(fmt.Sprintf("a value of type %T cannot be sent", arg))
		}
	}
	return values, true
}
