package postgres_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/store/postgres"
)

// noEnvironment is an environment that says nothing about PostgreSQL.
func noEnvironment(t *testing.T) {
	t.Helper()
	for _, name := range []string{"PGSSLMODE", "PGCONNECT_TIMEOUT", "PGTARGETSESSIONATTRS", "PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGSERVICE", "PGSSLROOTCERT"} {
		t.Setenv(name, "")
	}
}

// Only this machine does without TLS.
func TestWhatIsLocal(t *testing.T) {
	noEnvironment(t)
	for host, local := range map[string]bool{"127.0.0.1": true, "127.8.0.1": true, "::1": true, "localhost": true, "/run/postgresql": true, "@postgresql": true,
		"127.contoso.example": false, "192.0.2.1": false, "db.contoso.example": false, "localhost,192.0.2.1": false, "192.0.2.1,localhost": false} {
		for _, mode := range []string{"disable", "allow", "prefer"} {
			err := postgres.Check("postgres://engine@/engine?sslmode=" + mode + "&host=" + url.QueryEscape(host))
			if local != (err == nil) {
				t.Errorf("%s, %s: %v", host, mode, err)
			}
		}
	}
}

// Over a network the certificate is checked for its name unless somebody says
// otherwise, on this machine only if somebody says so.
func TestTLS(t *testing.T) {
	for _, c := range []struct{ address, environment, want string }{
		{"postgres://engine@db.contoso.example/engine", "", "db.contoso.example"},
		{"postgres://engine@a.contoso.example,b.contoso.example/engine", "", "a.contoso.example b.contoso.example"},
		{"postgres://engine@localhost,b.contoso.example/engine", "", "localhost b.contoso.example"},
		{"postgres://engine@db.contoso.example/engine?sslmode=verify-full", "", "db.contoso.example"},
		{"postgres://engine@db.contoso.example/engine", "verify-full", "db.contoso.example"},
		{"postgres://engine@db.contoso.example/engine", "require", "unchecked"},
		{"postgres://engine@db.contoso.example/engine?sslmode=require", "", "unchecked"},
		{"postgres://engine@localhost/engine", "", "none"},
		{"postgres://engine@localhost,127.0.0.1/engine", "", "none none"},
		{"postgres://engine@localhost/engine?sslmode=verify-full", "", "localhost"},
		{"postgres://engine@localhost/engine", "verify-full", "localhost"},
		{"postgres://engine@localhost/engine?sslmode=require", "", "unchecked"},
	} {
		noEnvironment(t)
		t.Setenv("PGSSLMODE", c.environment)
		config, err := postgres.Configured(c.address)
		if err != nil {
			t.Errorf("%s: %v", c.address, err)
			continue
		}
		var got []string
		for _, with := range config.TLS() {
			switch {
			case with == nil:
				got = append(got, "none")
			case with.InsecureSkipVerify:
				got = append(got, "unchecked")
			default:
				got = append(got, with.ServerName)
			}
		}
		if got := strings.Join(got, " "); got != c.want {
			t.Errorf("%s, PGSSLMODE=%s: %s, want %s", c.address, c.environment, got, c.want)
		}
	}
}

// Several hosts share the time that a login waits for a connection, unless
// somebody says how long to wait for each.
func TestTimeForEachHost(t *testing.T) {
	for _, c := range []struct {
		address, environment string
		want                 time.Duration
	}{
		{"postgres://engine@localhost/engine", "", 5 * time.Second},
		{"postgres://engine@localhost/engine?sslmode=prefer", "", 5 * time.Second},
		{"postgres://engine@localhost,127.0.0.1/engine", "", 2500 * time.Millisecond},
		{"postgres://engine@localhost:1,localhost:2/engine", "", 2500 * time.Millisecond},
		{"postgres://engine@" + strings.Repeat("localhost:1,localhost:2,", 5) + "localhost:3/engine", "", time.Second},
		{"postgres://engine@localhost,127.0.0.1/engine?connect_timeout=7", "", 7 * time.Second},
		{"postgres://engine@localhost,127.0.0.1/engine", "9", 9 * time.Second},
	} {
		noEnvironment(t)
		t.Setenv("PGCONNECT_TIMEOUT", c.environment)
		config, err := postgres.Configured(c.address)
		if err != nil {
			t.Errorf("%s: %v", c.address, err)
		} else if is := config.Timeout(); is != c.want {
			t.Errorf("%s: %v, want %v", c.address, is, c.want)
		}
	}
}

// What cannot be an address is told with advice, and never with a password.
func TestAddressesThatAreRefused(t *testing.T) {
	noEnvironment(t)
	for _, address := range []string{
		"mysql://engine@localhost/engine", "localhost", "postgres://%zz/", "postgres://engine@localhost:port/engine",
		"postgres://engine:Geheim-7@localhost/engine", "postgres://engine@localhost/engine?password=Geheim-7",
		"postgres://engine@localhost/engine?sslpassword=Geheim-7", "postgres://engine@localhost/engine?port=Geheim-7",
		"postgres://engine@localhost/engine?search_path=pg_catalog", "postgres://engine@localhost/engine?search_path=Engine",
		"postgres://engine@localhost/engine?search_path=a,b", "postgres://engine@localhost/engine?search_path=",
		"postgres://engine@localhost/engine?sslmode=maybe",
	} {
		err := postgres.Check(address)
		if cloud.KindOf(err) != cloud.Invalid || postgres.Advice(err) == "" {
			t.Errorf("%s: %v", address, err)
		} else if strings.Contains(err.Error()+postgres.Advice(err), "Geheim-7") && !strings.Contains(address, "port=") {
			t.Errorf("it shows a password: %v", err)
		}
	}
	for _, address := range []string{"postgres://engine@localhost/engine", "postgresql://localhost", "postgres:///engine?search_path=_a1"} {
		if err := postgres.Check(address); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}
