package postgres

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
)

// defaultSchema is where the tables are unless search_path names another.
const defaultSchema = "mfabridge"

// plainName is a schema that needs no thought about quoting.
var plainName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// place is a database and the schema in it.
type place struct {
	given  string
	config *pgconn.Config
	schema string
	lines  *lines // what connections to it have seen
}

// fresh is the configuration for a new connection, with passwords and
// certificates as their files are now: they are changed while a process runs.
// Files that are just being replaced are taken as they were.
func (p place) fresh() *pgconn.Config {
	if now, err := parse(p.given); err == nil {
		return now.config
	}
	return p.config.Copy()
}

// Check says what is wrong with the text of a target, without connecting.
// Errors are *cloud.Error of kind Invalid with advice, and never hold a
// password.
func Check(given string) error {
	_, err := parse(given)
	return err
}

func parse(given string) (place, error) {
	u, err := url.Parse(given)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return place{}, invalid("the address of the database is not a URL", "write postgres://USER@HOST/DATABASE")
	}
	q := u.Query()
	if _, has := u.User.Password(); has || q.Has("password") || q.Has("sslpassword") {
		return place{}, invalid("the address of the database holds a password", "leave it out: it is taken from PGPASSFILE, ~/.pgpass or PGPASSWORD")
	}
	schema := defaultSchema
	if q.Has("search_path") {
		schema = q.Get("search_path")
	}
	if !plainName.MatchString(schema) || strings.HasPrefix(schema, "pg_") {
		return place{}, invalid(fmt.Sprintf("%q cannot be the schema of a store", schema), "search_path is one name of a-z, 0-9 and _")
	}
	mode := q.Get("sslmode")
	if mode == "" {
		mode = os.Getenv("PGSSLMODE")
	}
	config, err := configured(u, q, mode)
	if err != nil {
		return place{}, err
	}
	return place{given: given, config: config, schema: schema, lines: &lines{}}, nil
}

// configured lets the driver understand the URL, its service files, password
// files and certificates, and says no to a way over a network without TLS.
func configured(u *url.URL, q url.Values, mode string) (*pgconn.Config, error) {
	q.Del("search_path")
	if mode == "" {
		mode = "verify-full"
		q.Set("sslmode", mode)
	}
	if !q.Has("target_session_attrs") && os.Getenv("PGTARGETSESSIONATTRS") == "" {
		q.Set("target_session_attrs", "read-write")
	}
	with := *u
	with.RawQuery = q.Encode()
	config, err := pgconn.ParseConfig(with.String())
	if err != nil {
		return nil, invalid("the address of the database cannot be used: "+cause(err), "write postgres://USER@HOST/DATABASE")
	}
	if !q.Has("connect_timeout") && os.Getenv("PGCONNECT_TIMEOUT") == "" {
		config.ConnectTimeout = each(config)
	}
	config.DialFunc = dialer().DialContext
	local := isLocal(config.Host)
	for _, f := range config.Fallbacks {
		local = local && isLocal(f.Host)
	}
	switch {
	case local && mode == "verify-full" && u.Query().Get("sslmode") == "" && os.Getenv("PGSSLMODE") == "":
		// Nobody asked for it, and nobody listens in on this machine.
		config.TLSConfig = nil
		for _, f := range config.Fallbacks {
			f.TLSConfig = nil
		}
	case !local && (mode == "disable" || mode == "allow" || mode == "prefer"):
		return nil, invalid(fmt.Sprintf("sslmode=%s may talk to the database without TLS", mode),
			"leave sslmode out for verify-full, and name the authority with sslrootcert=FILE")
	}
	config.RuntimeParams["application_name"] = "mfabridge"
	return config, nil
}

// each is how long a connection to one of the servers may take where nobody says
// otherwise.
func each(config *pgconn.Config) time.Duration {
	return max(dialPatience/time.Duration(hosts(config)), time.Second)
}

// hosts is how many servers there are to try.
func hosts(config *pgconn.Config) int {
	n, last := 1, fmt.Sprint(config.Host, config.Port)
	for _, f := range config.Fallbacks { // with TLS and without it are one
		if is := fmt.Sprint(f.Host, f.Port); is != last {
			n, last = n+1, is
		}
	}
	return n
}

// cause is an error of the driver's without the text that it could not parse.
func cause(err error) string {
	if e, ok := errors.AsType[*pgconn.ParseConfigError](err); ok {
		if inner := errors.Unwrap(e); inner != nil {
			return inner.Error()
		}
	}
	return "it cannot be understood"
}

// isLocal tells whether a host is this machine: a folder of sockets, or the
// loopback.
func isLocal(host string) bool {
	return strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") || host == "localhost" || net.ParseIP(host).IsLoopback()
}

func invalid(message, advice string) error {
	return hint.Wrap(&cloud.Error{Kind: cloud.Invalid, Message: message}, advice)
}
