package legacy

import (
	"encoding/binary"
	"slices"
	"strings"
	"time"
)

// Limits of what is kept of activity.csv.
const (
	MaxApplications     = 256 // applications, each with its authentication type, that are told apart
	MaxUserApplications = 16  // names of a user's applications
	maxMethods          = 64  // names of methods that are told apart
	maxWord             = 256 // bytes of the name of an application or method
)

// Activity is what the report of attempts says of one user.
type Activity struct {
	Last     time.Time // of the last attempt; zero: there is none
	Method   string    // of that attempt, as written
	Attempts int

	// Applications are the names of those that the user logged in to, sorted,
	// at most MaxUserApplications.
	Applications []string
}

// ActivitySummary is what the report of attempts says of all users.
type ActivitySummary struct {
	Attempts        int64 // rows that could be read
	First, Last     time.Time
	Users           int64 // of those that are yielded: with an attempt
	UnknownUsers    int64 // names of attempts that lead to no user, or to several
	UnknownAttempts int64 // theirs

	Applications  []Application // the first MaxApplications met
	OtherAttempts int64         // of applications beyond that
}

// Application is an application that users logged in to: for the type radius
// one RADIUS client, or several of one name.
type Application struct {
	Name     string // may be empty
	Type     string // Authentication Type, as written: radius, ldap, iis, …
	Attempts int64
	Users    int64 // known or not
	Last     time.Time
}

// Columns of activity.csv.
const (
	activityTime = iota
	activityUser
	activityMethod
	activityType
	activityApplication
)

func activitySchema() schema {
	return schema{keys: []int{activityUser}, passed: activityPassed(), columns: []column{
		activityTime:        {name: "Timestamp", also: []string{"Date", "Time", "Date Time"}},
		activityUser:        {name: "Username", also: []string{"User"}},
		activityMethod:      {name: "Authentication Method", also: []string{"Method"}},
		activityType:        {name: "Authentication Type", also: []string{"Type"}},
		activityApplication: {name: "Application Name", also: []string{"Application"}},
	}}
}

// activityPassed are the other columns of the report, folded.
func activityPassed() []string {
	names := strings.Split("First Name,Last Name,Email Address,User Group,Phone Call Mode,Text Message Direction,Text Message Mode,"+
		"Mobile App Mode,OATH Token Mode,Overall Authenticated,Overall Result,Results,Authenticated,Result,Initiating IP Address,"+
		"Devices,Device Token,Device Type,Mobile App Version,OS Version,Used Check for Notification", ",")
	for _, call := range []string{"Primary Call", "Backup Call"} {
		for _, part := range []string{"", " Country Code", " Phone Number", " Extension", " Authenticated", " Result"} {
			names = append(names, call+part)
		}
	}
	for i, n := range names {
		names[i] = foldHeader(n)
	}
	return names
}

// activityTable gathers what all users have in common.
type activityTable struct {
	values
	apps    []Application
	appAt   map[string]int // name, NUL, type
	methods []string
	when    time.Time
	method  int // of the row, from 1; 0: none, or one too many
	app     int
}

// readActivity reads the report of attempts.
func (l *loader) readActivity() error {
	a := &activityTable{values: newValues(activitySchema()), appAt: map[string]int{}}
	l.activity = a
	s := &l.summary.Activity
	for _, i := range l.folder.of(aboutActivity) {
		err := l.readTable(i, &a.values, func(int) (*badRow, error) {
			if bad := a.read(); bad != nil {
				return bad, nil
			}
			s.Attempts++
			if s.First.IsZero() || a.when.Before(s.First) {
				s.First = a.when
			}
			if a.when.After(s.Last) {
				s.Last = a.when
			}
			if a.app == 0 {
				s.OtherAttempts++
			}
			return nil, l.names.Add(a.pack(l))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *activityTable) read() *badRow {
	if len(a.name(activityUser)) == 0 {
		a.refuseEmpty(activityUser)
	}
	if a.when = a.date(activityTime); a.when.IsZero() {
		a.refuseEmpty(activityTime)
	}
	if y := a.when.Year(); a.bad == nil && (y < 1970 || y > 9999) {
		a.wrong(activityTime, "a date after 1970")
	}
	for _, c := range []int{activityMethod, activityType, activityApplication} {
		if len(a.cells[c].text) > maxWord {
			a.refuse(c, a.schema.columns[c].name+" is longer than any name")
		}
	}
	if a.bad == nil {
		a.method = a.methodOf(string(a.cells[activityMethod].text))
		a.app = a.appOf(string(a.cells[activityApplication].text), string(a.cells[activityType].text))
	}
	return a.bad
}

func (a *activityTable) methodOf(name string) int {
	if name == "" {
		return 0
	}
	i := slices.Index(a.methods, name)
	if i < 0 && len(a.methods) < maxMethods {
		i = len(a.methods)
		a.methods = append(a.methods, name)
	}
	return i + 1
}

func (a *activityTable) appOf(name, kind string) int {
	i, ok := a.appAt[name+"\x00"+kind]
	if !ok {
		if len(a.apps) == MaxApplications {
			return 0
		}
		i = len(a.apps)
		a.appAt[name+"\x00"+kind] = i
		a.apps = append(a.apps, Application{Name: name, Type: kind})
	}
	app := &a.apps[i]
	app.Attempts++
	if a.when.After(app.Last) {
		app.Last = a.when
	}
	return i + 1
}

// pack makes the record of a row among the names. Attempts of one name come in
// the order of time.
func (a *activityTable) pack(l *loader) []byte {
	l.rec = key(l.rec[:0], a.cells[activityUser].text, roleActivity, uint64(a.when.Unix()))
	l.rec = binary.AppendUvarint(l.rec, uint64(a.method))
	l.rec = binary.AppendUvarint(l.rec, uint64(a.app))
	return l.rec
}

// use is what was logged of one name.
type use struct {
	attempts uint64
	last     uint64 // seconds since 1970
	method   uint64
	apps     []byte // a bit for each application
}

func (u use) empty() use {
	clear(u.apps)
	return use{apps: u.apps}
}

func (u *use) add(seconds uint64, body []byte) error {
	r := unpacker{b: body}
	method, app := r.uvarint(), r.uvarint()
	if r.failed || app > MaxApplications {
		return errPacked
	}
	u.attempts++
	u.last, u.method = seconds, method
	if app > 0 {
		if u.apps == nil {
			u.apps = make([]byte, MaxApplications/8)
		}
		u.apps[(app-1)/8] |= 1 << ((app - 1) % 8)
	}
	return nil
}

// endUse gives what was logged of a name to its user.
func (l *loader) endUse(g *group) error {
	u := &g.use
	if u.attempts == 0 {
		return nil
	}
	for i := range l.activity.apps {
		if u.apps != nil && u.apps[i/8]&(1<<(i%8)) != 0 {
			l.activity.apps[i].Users++
		}
	}
	owner, owners := g.owner()
	if owners != 1 {
		l.summary.Activity.UnknownUsers++
		l.summary.Activity.UnknownAttempts += int64(u.attempts)
		return nil
	}
	if owner.flags&flagBad != 0 {
		return nil
	}
	l.body = binary.AppendUvarint(l.body[:0], u.attempts)
	l.body = binary.AppendUvarint(l.body, u.last)
	l.body = binary.AppendUvarint(l.body, u.method)
	l.body = append(l.body, u.apps...)
	return l.attach(owner.ordinal, kindActivity, 0, l.body)
}

// takeActivity adds to the user what was logged of one of its names.
func (t *tail) takeActivity(u *User) error {
	r := unpacker{b: t.head.packed}
	attempts, last, method := r.uvarint(), r.uvarint(), r.uvarint()
	if r.failed || method > uint64(len(t.export.methods)) {
		return errPacked
	}
	a := &u.Activity
	a.Attempts += int(attempts)
	if when := time.Unix(int64(last), 0).UTC(); when.After(a.Last) {
		a.Last, a.Method = when, ""
		if method > 0 {
			a.Method = t.export.methods[method-1]
		}
	}
	for i, app := range t.export.summary.Activity.Applications {
		if i/8 < len(r.b) && r.b[i/8]&(1<<(i%8)) != 0 && app.Name != "" && !slices.Contains(a.Applications, app.Name) {
			a.Applications = append(a.Applications, app.Name)
		}
	}
	slices.Sort(a.Applications)
	a.Applications = a.Applications[:min(len(a.Applications), MaxUserApplications)]
	return nil
}
