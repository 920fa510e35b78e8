package graph

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// scanned bounds how many entries one page looks at: a page may be empty and
// still have a next one.
const scanned = 5000

// top is the page size that a call asks for.
func (f *Face) top(c *call) (int, error) {
	if !c.query.Has("top") {
		return f.assume.Page, nil
	}
	n, err := strconv.Atoi(c.query.Get("top"))
	if err != nil || n < 1 || n > f.assume.MaxPage {
		return 0, fail(http.StatusBadRequest, "Request_BadRequest",
			"Invalid page size specified: '"+clip(c.query.Get("top"))+"'. Must be between 1 and "+strconv.Itoa(f.assume.MaxPage)+" inclusive.")
	}
	return n, nil
}

// after is where a page begins: what a link of ours carried, of the same path.
func (f *Face) after(c *call) (string, error) {
	if !c.query.Has("skiptoken") {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(c.query.Get("skiptoken"))
	if err != nil || len(b) < 16 || string(b[:16]) != string(f.mac("page " + c.path + " " + string(b[16:])))[:16] {
		return "", fail(http.StatusBadRequest, "Directory_ExpiredPageToken", "The specified page token value has expired and can no longer be included in your request.")
	}
	return string(b[16:]), nil
}

// next is the link to the page that begins after last.
func (f *Face) next(c *call, last string) string {
	token := append(f.mac("page " + c.path + " " + last)[:16:16], last...)
	var query []string
	for _, name := range []string{"select", "filter", "top", "count", "search", "orderby", "expand"} {
		if c.query.Has(name) {
			query = append(query, "$"+name+"="+url.QueryEscape(c.query.Get(name)))
		}
	}
	query = append(query, "$skiptoken="+base64.RawURLEncoding.EncodeToString(token))
	return c.base + c.path + "?" + strings.Join(query, "&")
}

// entry is one entry of a listing, and what comes after it.
type entry struct {
	key   string
	shown object
}

// list answers with a page. more yields entries after a key, at most so many;
// keep tells which of them are wanted.
func (f *Face) list(c *call, of string, more func(after string, limit int) ([]entry, error), keep func(object) bool) (answer, error) {
	top, err := f.top(c)
	if err != nil {
		return answer{}, err
	}
	last, err := f.after(c)
	if err != nil {
		return answer{}, err
	}
	body := object{"@odata.context": c.context(of)}
	values := []object{}
	for looked := 0; ; {
		limit := max(top-len(values)+1, 50)
		page, err := more(last, limit)
		if err != nil {
			return answer{}, err
		}
		for _, e := range page {
			if looked++; len(values) == top {
				body["@odata.nextLink"] = f.next(c, last)
				body["value"] = values
				return okay(body)
			}
			last = e.key
			if keep == nil || keep(e.shown) {
				values = append(values, e.shown)
			}
		}
		if len(page) < limit {
			break
		}
		if looked >= scanned {
			body["@odata.nextLink"] = f.next(c, last)
			break
		}
	}
	body["value"] = values
	return okay(body)
}

// advanced tells whether a call is an advanced query: the header, and $count.
func (c *call) advanced() bool {
	return strings.EqualFold(c.header.Get("ConsistencyLevel"), "eventual") && c.query.Get("count") == "true"
}

// folded is an object with its names folded, for filters.
func folded(o object) object {
	all := make(object, len(o))
	for name, value := range o {
		all[strings.ToLower(name)] = value
	}
	return all
}

// selected is what $select asks of an object; a name that is not there is 400.
func (c *call) selected(o object, standard []string, kind string) (object, error) {
	names := standard
	if c.query.Has("select") {
		names = strings.Split(c.query.Get("select"), ",")
	}
	index := map[string]string{}
	for name := range o {
		index[strings.ToLower(name)] = name
	}
	shown := object{}
	for _, name := range names {
		name = strings.TrimSpace(name)
		real, ok := index[strings.ToLower(name)]
		switch {
		case name == "*":
			for n, v := range o {
				shown[n] = v
			}
		case !ok:
			return nil, fail(http.StatusBadRequest, "BadRequest", "Parsing OData Select and Expand failed: Could not find a property named '"+clip(name)+"' on type '"+kind+"'.")
		default:
			shown[real] = o[real]
		}
	}
	if c.query.Has("select") && len(names) > 0 {
		shown["id"] = o["id"]
	}
	return shown, nil
}
