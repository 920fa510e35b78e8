package migrate

import (
	"strings"

	"mfabridge/cloud"
	"mfabridge/legacy"
)

// Summary counts what a plan or an inspection holds. Absent keys are 0.
type Summary struct {
	Users    map[Action]int   // users by what is done with them
	Outlook  map[Outlook]int  // users by what awaits them; each user once
	Changes  map[cloud.Op]int // changes by kind
	Findings map[Code]int     // occurrences, those that belong to no user included
	Severity map[Severity]int // occurrences, likewise
	Accepted map[Code]int     // occurrences that somebody has accepted; they count above too

	Devices           int // mobile-app activation records of the users read
	DevicesWithSecret int // of these, with a usable code secret
	Tokens            int // third-party tokens of the users read

	Activated map[Platform]map[Age]int // mobile-app activation records by platform, and by age when the plan was made

	Modes       map[legacy.Mode]int  // users by the method that they were asked by first
	Countries   map[string]int       // telephone numbers that users hold after the plan, by calling code, e.g. "44"
	Methods     map[cloud.Method]int // methods that users hold after the plan
	Activations int                  // users who have to activate an app anew

	ChangesOf map[cloud.Method]int // changes by method
	Waves     map[string]*Summary  // of the users of each wave, findings that belong to no user excluded
	LeftOut   int                  // rows out of scope; they count nowhere else
	Unread    int                  // rows of users that the export could not yield; likewise
	Estimate  Estimate             // of an apply of all of this
	Deadlines map[string]int       // users whom only texts and calls verify, by the date "2027-02-01" that ends them; "unknown" where none is published
}

// NewSummary returns a Summary of nothing, its maps ready to count in.
func NewSummary() Summary {
	return Summary{
		Users:     map[Action]int{},
		Outlook:   map[Outlook]int{},
		Changes:   map[cloud.Op]int{},
		Findings:  map[Code]int{},
		Severity:  map[Severity]int{},
		Accepted:  map[Code]int{},
		Activated: map[Platform]map[Age]int{},
		Modes:     map[legacy.Mode]int{},
		Countries: map[string]int{},
		Methods:   map[cloud.Method]int{},
		ChangesOf: map[cloud.Method]int{},
		Waves:     map[string]*Summary{},
		Deadlines: map[string]int{},
	}
}

// Total is the number of users counted.
func (s Summary) Total() int {
	n := 0
	for _, users := range s.Users {
		n += users
	}
	return n
}

// Unaccepted counts the occurrences of a severity that nobody has accepted.
func (s Summary) Unaccepted(severity Severity) int {
	n := s.Severity[severity]
	for _, e := range Catalogue() {
		if e.Severity == severity {
			n -= s.Accepted[e.Code]
		}
	}
	return n
}

// wave is the Summary of a wave, made when it is first asked for.
func (s *Summary) wave(name string) *Summary {
	w := s.Waves[name]
	if w == nil {
		sum := NewSummary()
		w = &sum
		s.Waves[name] = w
	}
	return w
}

// estimate closes the summary with how long an apply takes.
func (s *Summary) estimate(caps *cloud.Capabilities) {
	s.Estimate = EstimateOf(s, caps)
	for _, w := range s.Waves {
		w.Estimate = EstimateOf(w, caps)
	}
}

func (s *Summary) add(d *draft) {
	if d.Wave != "" {
		s.wave(d.Wave).count(d)
	}
	s.count(d)
}

func (s *Summary) count(d *draft) {
	s.Users[d.Action]++
	s.Outlook[d.Outlook]++
	s.Modes[d.u.Mode]++
	for i := range d.Changes {
		s.Changes[d.Changes[i].Op]++
		s.ChangesOf[d.Changes[i].Method]++
	}
	for i := range d.Findings {
		s.addFinding(&d.Findings[i])
	}
	for i := range d.u.Devices {
		device := &d.u.Devices[i]
		s.Devices++
		if device.Seed.State == legacy.SeedOK {
			s.DevicesWithSecret++
		}
		s.addActivation(device, d.opt.activationsAt())
	}
	s.Tokens += len(d.u.Tokens)
	if d.has(PushNeedsActivation) {
		s.Activations++
	}
	if d.deadline != "" {
		s.Deadlines[d.deadline]++
	}
	s.addMethods(&d.after)
}

func (s *Summary) addFinding(f *Finding) {
	s.Findings[f.Code]++
	s.Severity[f.Severity]++
	if f.Accepted != nil {
		s.Accepted[f.Code]++
	}
}

func (s *Summary) addMethods(u *cloud.User) {
	s.addPhone(cloud.Mobile, u.Mobile)
	s.addPhone(cloud.AlternateMobile, u.Alternate)
	s.addPhone(cloud.Office, u.Office)
	if u.Email != "" {
		s.Methods[cloud.Email]++
	}
	for i := range u.OATH {
		s.Methods[u.OATH[i].Method]++
	}
	if len(u.Authenticators) > 0 {
		s.Methods[cloud.Authenticator] += len(u.Authenticators)
	}
}

func (s *Summary) addPhone(m cloud.Method, number string) {
	if number == "" {
		return
	}
	s.Methods[m]++
	if code, _, ok := strings.Cut(strings.TrimPrefix(number, "+"), " "); ok {
		s.Countries[code]++
	}
}
