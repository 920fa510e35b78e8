package graph

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/google/uuid"

	"mfabridge/internal/strictjson"
)

// object is a JSON object that this face writes.
type object = map[string]any

// call is one request, of its own or of a batch.
type call struct {
	ctx      context.Context
	version  string // "v1.0", "beta"
	method   string
	segments []string // after the version, keys in parentheses apart
	vars     []string // what stood in place of the * of a route
	query    url.Values
	header   http.Header
	body     []byte
	base     string // scheme and host as the caller knows them
	path     string // as it was spelled, for links
	id       string
	clientID string
	app      string
	granted  []string
}

// answer is what goes back.
type answer struct {
	status int
	header http.Header
	body   any  // nil: none
	lost   bool // the connection ends instead
}

// ServeHTTP implements [http.Handler].
func (f *Face) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := newCall(r)
	h := w.Header()
	h.Set("Date", f.now().UTC().Format(http.TimeFormat)) // codes of tokens are computed for this clock
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("request-id", c.id)
	h.Set("client-request-id", c.clientID)
	h.Set("x-ms-ags-diagnostic", `{"ServerInfo":{"DataCenter":"rehearsal","Slice":"E","Ring":"0","ScaleUnit":"000","RoleInstance":"mfabridge"}}`)
	defer func() {
		if fault := recover(); fault != nil {
			if err, ok := fault.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(fault)
			}
			f.log.Error("rehearsal of Graph panicked", "request", c.id, "fault", fault, "stack", string(debug.Stack()))
			f.write(w, fail(http.StatusInternalServerError, "generalException", "An unexpected error occurred.").answer(c, f.now()))
		}
	}()
	select {
	case f.places <- struct{}{}:
		defer func() { <-f.places }()
	default:
		f.write(w, fail(http.StatusServiceUnavailable, "serviceNotAvailable", "The service is busy.").answer(c, f.now()))
		return
	}
	a := f.respond(w, r, c)
	if a.lost {
		panic(http.ErrAbortHandler)
	}
	f.write(w, a)
}

// respond answers one request of the network.
func (f *Face) respond(w http.ResponseWriter, r *http.Request, c *call) answer {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	segments, err := split(r.URL.EscapedPath())
	if err != nil {
		return asTrouble(err).answer(c, f.now())
	}
	if a, ok := f.login(r, segments, c); ok {
		return a
	}
	if err := c.parse(segments, r.URL.RawQuery); err != nil {
		return asTrouble(err).answer(c, f.now())
	}
	if err := f.admit(r, c); err != nil {
		return asTrouble(err).answer(c, f.now())
	}
	if c.body, err = readBody(r); err != nil {
		return asTrouble(err).answer(c, f.now())
	}
	return f.answer(c)
}

func newCall(r *http.Request) *call {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	c := &call{ctx: r.Context(), method: r.Method, header: r.Header, base: scheme + "://" + r.Host, id: uuid.NewString(),
		clientID: r.Header.Get("client-request-id"), path: r.URL.EscapedPath()}
	if _, err := uuid.Parse(c.clientID); err != nil {
		c.clientID = c.id
	}
	return c
}

// split takes a path apart and out of its escapes.
func split(path string) ([]string, error) {
	if len(path) > maxPath {
		return nil, fail(http.StatusRequestURITooLong, "badRequest", "The request URI is too long.")
	}
	var segments []string
	for part := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		s, err := url.PathUnescape(part)
		if err != nil {
			return nil, bad("The request URI is not valid.")
		}
		name, key, ok := strings.Cut(strings.TrimSuffix(s, ")"), "(")
		if ok && strings.HasSuffix(s, ")") && !strings.Contains(name, "@") {
			_, value, named := strings.Cut(key, "=") // users(id='…')
			if !named || strings.HasPrefix(key, "'") {
				value = key
			}
			if len(value) < 2 || value[0] != '\'' || value[len(value)-1] != '\'' {
				return nil, bad("The key of a segment must be written in quotes.")
			}
			segments = append(segments, name, strings.ReplaceAll(value[1:len(value)-1], "''", "'"))
			continue
		}
		segments = append(segments, s)
	}
	if len(segments) > maxSegments {
		return nil, bad("The request URI has too many segments.")
	}
	return segments, nil
}

// parse fills in what a path and a query say.
func (c *call) parse(segments []string, query string) error {
	if len(segments) == 0 || segments[0] != "v1.0" && segments[0] != "beta" {
		return fail(http.StatusBadRequest, "BadRequest", "Invalid version.")
	}
	c.version, c.segments = segments[0], segments[1:]
	values, err := url.ParseQuery(query)
	if err != nil {
		return bad("The query of the request is not valid.")
	}
	c.query = url.Values{}
	for name, given := range values {
		plain := strings.ToLower(strings.TrimPrefix(name, "$"))
		if len(given) > 1 || c.query.Has(plain) {
			return bad("The query option '%s' cannot be specified more than once.", clip(name))
		}
		if !knownOption(plain) {
			if strings.HasPrefix(name, "$") {
				return bad("The query parameter '%s' is not supported.", clip(name))
			}
			continue
		}
		c.query[plain] = given
	}
	return nil
}

func knownOption(name string) bool {
	switch name {
	case "select", "filter", "top", "count", "skiptoken", "expand", "search", "orderby":
		return true
	}
	return false
}

// readBody reads a body, packed or not.
func readBody(r *http.Request) ([]byte, error) {
	var from io.Reader = r.Body
	switch coding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); coding {
	case "", "identity":
	case "gzip":
		unpacked, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, bad("The body is labelled gzip and is not.")
		}
		from = io.LimitReader(unpacked, maxBody+1)
	default:
		return nil, fail(http.StatusUnsupportedMediaType, "UnsupportedMediaType", "The content encoding is not supported.")
	}
	b, err := io.ReadAll(from)
	if _, large := errors.AsType[*http.MaxBytesError](err); large || len(b) > maxBody {
		return nil, fail(http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "The body is too large.")
	}
	if err != nil {
		return nil, bad("The body cannot be read to its end.")
	}
	return b, nil
}

// decode reads the body of a call into a struct, which has all properties that
// the type of the body has. Annotations, above all @odata.type, are ignored.
func (c *call) decode(into any) error {
	if err := c.decodePart(into); err != nil {
		return err
	}
	if name := unknownMember(c.body, reflect.TypeOf(into)); name != "" {
		return bad("The property '%s' does not exist on the type of the request, whose names are told apart by case.", clip(name))
	}
	return nil
}

// decodePart is decode into a struct that has a part of the properties: what it
// does not have is ignored.
func (c *call) decodePart(into any) error {
	media, _, err := mime.ParseMediaType(c.header.Get("Content-Type"))
	switch {
	case len(c.body) == 0:
		return bad("A non-empty request body is required.")
	case err != nil || media != "application/json":
		return fail(http.StatusUnsupportedMediaType, "UnsupportedMediaType", "The content type must be application/json.")
	}
	err = strictjson.Decode(c.body, into)
	if refused, ok := errors.AsType[strictjson.Refused](err); ok {
		return bad("Unable to read JSON request payload: %s.", refused)
	}
	if err != nil {
		return bad("Unable to read JSON request payload.")
	}
	return nil
}

// unknownMember is the first property of a text that its type does not have.
// encoding/json would take names in any case.
func unknownMember(text []byte, t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		return "" // it reads itself
	}
	switch t.Kind() {
	case reflect.Slice:
		var all []json.RawMessage
		_ = json.Unmarshal(text, &all) // null has none
		for _, one := range all {
			if name := unknownMember(one, t.Elem()); name != "" {
				return name
			}
		}
	case reflect.Struct:
		var members map[string]json.RawMessage
		_ = json.Unmarshal(text, &members)
		for field := range t.Fields() {
			name := field.Tag.Get("json")
			if unknown := unknownMember(members[name], field.Type); unknown != "" {
				return unknown
			}
			delete(members, name)
		}
		for _, name := range slices.Sorted(maps.Keys(members)) {
			if !strings.Contains(name, "@") {
				return name
			}
		}
	}
	return ""
}

func (f *Face) write(w http.ResponseWriter, a answer) {
	for name, values := range a.header {
		for _, v := range values {
			w.Header().Set(name, v)
		}
	}
	if a.body == nil {
		w.WriteHeader(a.status)
		return
	}
	text, plain := a.body.(string)
	if plain {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, text) // who hung up hears nothing
		return
	}
	b, err := json.Marshal(a.body)
	if err != nil {
		f.log.Error("an answer of the rehearsal of Graph cannot be written", "err", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8")
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(append(b, '\n')) // who hung up hears nothing
}
