// Package app is the Authenticator for browsers: a page that a person installs
// on a telephone or a desktop, served by the engine's pages listener below
// /authenticator. docs/authenticator.md is its manual.
//
// The page is a set of embedded files: HTML, one style sheet, and JavaScript
// modules that the browser loads as they are. Nothing is built, nothing comes
// from elsewhere, and nothing here decides: the page speaks /authenticator/v1
// like every other authenticator. Its content policy forbids inline scripts and
// styles, strings that become code or markup, and every address but our own.
//
// A service worker keeps the files, so that codes are shown without a network.
// It names the version of what it keeps, a digest of all files: when one file
// changes, the worker changes, and browsers fetch the set anew. It also holds the
// words of all languages, in which it shows what push services deliver.
//
// Invitations and activation codes travel in the fragment of an address
// (#user=…&code=…), which browsers do not send: no log of a server or a proxy
// has them.
package app

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/http/serve"
)

// Path is where the page is, below the address of the pages listener.
const Path = "/authenticator"

// Names of files that are not served as they lie there.
const (
	pageFile   = "index.html"
	workerFile = "sw.js"
)

// policy is the page's Content-Security-Policy. The one policy of trusted types
// names the address of the service worker.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types worker"

// types are the media types of the files, by extension.
var types = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".svg": "image/svg+xml", ".png": "image/png", ".webmanifest": "application/manifest+json",
}

//go:embed web
var web embed.FS

// file is one of them, ready to be sent.
type file struct {
	kind, tag string
	body      []byte
	packed    []byte // the same by gzip; nil: no smaller
}

// Face serves the page.
type Face struct {
	page  file
	files map[string]file
}

// New reads the embedded files.
func New() (*Face, error) {
	root, err := fs.Sub(web, "web")
	if err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(root, ".") // in order of their names
	if err != nil {
		return nil, err
	}
	zip, err := gzip.NewWriterLevel(io.Discard, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	f := &Face{files: map[string]file{}}
	sum, kept, page, words := sha256.New(), []string{}, []byte(nil), []byte("const words = {\n")
	for _, entry := range entries {
		name := entry.Name()
		body, err := fs.ReadFile(root, name)
		if err != nil {
			return nil, err
		}
		kind, known := types[path.Ext(name)]
		if !known {
			return nil, errors.New("the file " + name + " of the page has no media type")
		}
		sum.Write([]byte(name + "\x00"))
		sum.Write(body)
		if name == pageFile {
			page = body
			continue
		}
		if name != workerFile {
			kept = append(kept, name)
		}
		words = append(words, dictionary(name, body)...)
		if f.files[name], err = newFile(zip, kind, body); err != nil {
			return nil, err
		}
	}
	if f.page, err = newFile(zip, types[".html"], bytes.Replace(page, []byte(modules), []byte(preloads(kept)), 1)); err != nil {
		return nil, err
	}
	head, err := json.Marshal(map[string]any{"version": encode(sum.Sum(nil)), "files": kept})
	if err != nil {
		return nil, err
	}
	f.files[workerFile], err = newFile(zip, types[".js"], slices.Concat([]byte("const kept = "), head, []byte(";\n"), words, []byte("};\n"), f.files[workerFile].body))
	return f, err
}

// dictionary is the module of a language as a member of the worker's words: a
// worker of the browsers that there are imports no modules. Empty: it is none.
func dictionary(name string, body []byte) []byte {
	_, words, found := bytes.Cut(body, []byte("export default "))
	if !found {
		return nil
	}
	return slices.Concat([]byte(strings.TrimSuffix(name, path.Ext(name))+": "), bytes.TrimSuffix(words, []byte(";\n")), []byte(",\n"))
}

// modules stands in the page where all modules are named: a browser would else
// hear of each only from the one that imports it, over and over.
const modules = "<!-- modules -->"

func preloads(names []string) string {
	var text strings.Builder
	for _, name := range names {
		if path.Ext(name) == ".js" {
			text.WriteString(`<link rel="modulepreload" href="authenticator/` + name + "\">\n")
		}
	}
	return strings.TrimSuffix(text.String(), "\n")
}

// newFile makes a file ready. The writer is used for one after the other: each
// takes most of a mebibyte.
func newFile(zip *gzip.Writer, kind string, body []byte) (file, error) {
	sum := sha256.Sum256(body)
	f := file{kind: kind, tag: encode(sum[:]), body: body}
	var packed bytes.Buffer
	zip.Reset(&packed)
	if _, err := zip.Write(body); err != nil {
		return f, err
	}
	if err := zip.Close(); err != nil {
		return f, err
	}
	if packed.Len() < len(body) {
		f.packed = packed.Bytes()
	}
	return f, nil
}

func encode(sum []byte) string { return base64.RawURLEncoding.EncodeToString(sum[:12]) }

// Routes are the face's rows: the page, and the files that it loads.
func (f *Face) Routes() []serve.Route {
	return []serve.Route{
		{Listener: serve.Pages, Method: http.MethodGet, Path: Path, Open: true, File: true, Handler: func(w http.ResponseWriter, r *http.Request) error {
			h := w.Header()
			h.Set("Content-Security-Policy", policy)
			h.Set("Cross-Origin-Opener-Policy", "same-origin")
			h.Set("Permissions-Policy", "camera=(self), geolocation=(), microphone=()")
			return f.page.send(w, r)
		}},
		{Listener: serve.Pages, Method: http.MethodGet, Path: Path + "/{file}", Open: true, File: true, Handler: f.part},
		// People type a slash behind it; browsers keep the fragment. The address is
		// relative, since a proxy may serve all of this below another one.
		{Listener: serve.Pages, Method: http.MethodGet, Path: Path + "/{$}", Open: true, Handler: func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Location", ".."+Path)
			w.WriteHeader(http.StatusPermanentRedirect)
			return nil
		}},
	}
}

func (f *Face) part(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("file")
	part, ok := f.files[name]
	if !ok {
		return &cloud.Error{Kind: cloud.NotFound, Message: "the page has no such file"}
	}
	h := w.Header()
	// What is opened by itself, as an image can be, does nothing either.
	h.Set("Content-Security-Policy", "default-src 'none'; connect-src 'self'; frame-ancestors 'none'")
	if name == workerFile {
		h.Set("Service-Worker-Allowed", ".."+Path) // from where the worker is: also below the address of a proxy
	}
	return part.send(w, r)
}

// send writes a file, or that the browser has it already.
func (f file) send(w http.ResponseWriter, r *http.Request) error {
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", "no-cache")
	h.Set("Vary", "Accept-Encoding")
	body, tag := f.body, f.tag
	if f.packed != nil && takesGzip(r) {
		body, tag = f.packed, tag+".gz"
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Etag", `"`+tag+`"`)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	return nil
}

// takesGzip tells whether the caller names gzip among what it unpacks, and
// without a weight: whoever weighs gets the file as it is.
func takesGzip(r *http.Request) bool {
	for _, given := range r.Header.Values("Accept-Encoding") {
		for name := range strings.SplitSeq(given, ",") {
			if strings.EqualFold(strings.TrimSpace(name), "gzip") {
				return true
			}
		}
	}
	return false
}
