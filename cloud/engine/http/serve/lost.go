package serve

import (
	"fmt"
	"net/http"
	"strings"
)

// person tells whether somebody looks at the answer: browsers ask for HTML where
// an address was typed or a link was followed, programs do not.
func person(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// lost answers people who come to an address where nothing is. The way to the
// first page is relative, since a proxy may serve all of this below another one.
func lost(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(http.StatusNotFound)
	up := "./" + strings.Repeat("../", strings.Count(r.URL.EscapedPath(), "/")-1)
	_, _ = fmt.Fprintf(w, lostPage, up, up) // who hung up hears nothing
}

const lostPage = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Not found</title><meta name="viewport" content="width=device-width">
<p>There is no page at this address. <a href="%s">To the first page</a></p>
<p lang="de">Unter dieser Adresse gibt es keine Seite. <a href="%s">Zur ersten Seite</a></p></html>
`
