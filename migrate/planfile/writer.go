package planfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"filippo.io/age"
	"github.com/google/uuid"

	"mfabridge/cloud"
	"mfabridge/internal/durable"
	"mfabridge/internal/hint"
	"mfabridge/migrate"
)

// Options of [Create].
type Options struct {
	Overwrite bool // replace F and F.key, unless the plan was applied already

	// Recipients can open the plan, nobody else: its key is not written to
	// F.key but sealed to them, to F.key.age. None: F.key.
	Recipients []age.Recipient
}

// Writer builds a plan file. Until Finish has returned without an error there
// is no F and no F.key. Its methods are called from one goroutine.
type Writer struct {
	path, part, keyPart string
	overwrite           bool
	recipients          []age.Recipient
	key                 key
	seal                *sealer
	db                  *db
	lock                *os.File // on part: somebody is at work on it
	rows                inserts
	kinds               map[migrate.Code][]numbered
	kindCount           int
	last                int // ordinal
	problems            int
}

// kind is what findings have in common.
type kind struct {
	code     migrate.Code
	severity migrate.Severity
	action   string
}

// numbered is a kind with its number in the file. A code has one, seldom more.
type numbered struct {
	kind
	number int
}

// Create begins a plan file that will stand at path, with its key beside it.
// It refuses a path that is taken, unless o says to overwrite it, and always
// one whose plan has a journal: that journal is what undo needs. What a run
// for the same path left that was killed is removed. The caller ends with
// Finish or Abort.
func Create(path string, h migrate.Header, o Options) (*Writer, error) {
	clearLeftovers(path)
	if err := free(path, o.Overwrite); err != nil {
		return nil, err
	}
	if h.PlanID == "" {
		h.PlanID = uuid.NewString()
	}
	w := &Writer{path: path, overwrite: o.Overwrite, recipients: o.Recipients, key: newKey(h.PlanID), kinds: map[migrate.Code][]numbered{}, last: -1}
	w.part = filepath.Join(filepath.Dir(path), partPrefix(path)+uuid.NewString()+partSuffix)
	w.keyPart = KeyPath(w.part)
	if err := w.begin(h); err != nil {
		w.Abort()
		return nil, hint.Wrap(fmt.Errorf("plan file %s cannot be made: %w", path, reason(err)), roomAdvice)
	}
	return w, nil
}

// free tells why a plan cannot be put at path.
func free(path string, overwrite bool) error {
	if exists(JournalPath(path)) {
		return hint.New(fmt.Sprintf("a plan was applied from %s before: its journal %s is there", path, JournalPath(path)),
			"choose another file for the new plan; the journal is needed to undo the old one")
	}
	if overwrite {
		return replaceable(path)
	}
	for _, p := range []string{path, KeyPath(path), SealedKeyPath(path)} {
		if _, err := os.Lstat(p); err == nil {
			return taken(p)
		}
	}
	return nil
}

// replaceable refuses to replace what is neither a plan nor the key of one: a
// store, an export, the key of a store.
func replaceable(path string) error {
	advice := "choose another file; --overwrite replaces plans only"
	if exists(path) && !isPlan(path) {
		return hint.New(path+" is there, and is no plan", advice)
	}
	if b, err := os.ReadFile(KeyPath(path)); exists(KeyPath(path)) {
		if err == nil {
			_, err = parseKey(b)
		}
		if err != nil {
			return hint.New(KeyPath(path)+" is there, and is not the key of a plan", advice)
		}
	}
	return replaceableSealed(path, advice)
}

// isPlan tells whether a file ends as plans do.
func isPlan(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	_, _, _, err = readTrailer(f)
	return err == nil
}

const roomAdvice = "the folder must exist, be writable and have room"

func (w *Writer) failed(err error) error {
	return hint.Default(fmt.Errorf("plan file %s cannot be written: %w", w.path, err), roomAdvice)
}

func taken(path string) error {
	return hint.New(path+" exists already", "choose another file, or replace it with --overwrite")
}

func (w *Writer) begin(h migrate.Header) error {
	var err error
	if w.seal, err = newSealer(w.key); err != nil {
		return err
	}
	f, err := os.OpenFile(w.part, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	w.lock = f
	if _, err := tryLock(f); err != nil {
		return err
	}
	// Nobody reads this file before it is whole, and it is thrown away if
	// anything goes wrong: no journal, one sync at the end.
	w.db, err = openDB(uri(w.part, "mode=rw"), fmt.Sprintf(`PRAGMA page_size=%d`, pageSize), `PRAGMA journal_mode=OFF`, `PRAGMA synchronous=OFF`, `PRAGMA locking_mode=EXCLUSIVE`,
		`PRAGMA cache_size=-8192`, `PRAGMA temp_store=MEMORY`,
		fmt.Sprintf(`PRAGMA application_id=%d`, applicationID), fmt.Sprintf(`PRAGMA user_version=%d`, Version), `BEGIN`)
	if err != nil {
		return err
	}
	for _, s := range schema {
		if err := w.db.exec(s); err != nil {
			return err
		}
	}
	if err := w.rows.prepare(w.db); err != nil {
		return err
	}
	return w.header(h)
}

// header writes h, a row a field.
func (w *Writer) header(h migrate.Header) error {
	s, err := w.db.prepare(`INSERT INTO header (name, value) VALUES (?, ?)`)
	if err != nil {
		return err
	}
	for _, field := range headerFields(&h) {
		b, err := json.Marshal(field.value)
		if err != nil {
			return err
		}
		if err := s.exec(field.name, string(b)); err != nil {
			return err
		}
	}
	return nil
}

// headerField is one row of the table header; its value is JSON. What was
// added to the header later is not in plans that were made before.
type headerField struct {
	name  string
	value any // a pointer
	later bool
}

func headerFields(h *migrate.Header) []headerField {
	return []headerField{
		{name: "accepted", value: &h.Accepted, later: true}, {name: "capabilities", value: &h.Capabilities},
		{name: "created", value: &h.Created}, {name: "inputs", value: &h.Inputs}, {name: "options", value: &h.Options},
		{name: "phone_metadata", value: &h.PhoneMetadata}, {name: "plan", value: &h.PlanID},
		{name: "preflight", value: &h.Preflight, later: true}, {name: "scope", value: &h.Scope, later: true},
		{name: "target", value: &h.Target}, {name: "tool_version", value: &h.ToolVersion}, {name: "waves", value: &h.Waves, later: true},
	}
}

// Add writes one user. Ordinals must ascend, and every change must be one of
// the user that the decision is about.
func (w *Writer) Add(d migrate.Decision) error {
	if w.db == nil {
		return errors.New("the plan file is closed")
	}
	if err := w.check(&d); err != nil {
		return err
	}
	sealed, err := w.seal.seal(&d)
	if err != nil {
		return err
	}
	w.last = d.Ordinal
	if err := w.user(&d, sealed); err != nil {
		return w.failed(err)
	}
	return nil
}

// check refuses a decision that could not be read back as it is.
func (w *Writer) check(d *migrate.Decision) error {
	switch {
	case d.Ordinal <= w.last:
		return fmt.Errorf("user %d comes after user %d", d.Ordinal, w.last)
	case len(d.Changes) > MaxChanges, len(d.Facts) > MaxFacts, len(d.Findings) > MaxFindings:
		return fmt.Errorf("user %q has more changes, facts or findings than a plan file takes", d.Username)
	case d.Action == migrate.Skip && len(d.Changes) > 0:
		return fmt.Errorf("user %q is skipped and has changes", d.Username)
	}
	long := max(len(d.Username), len(d.UPN), len(d.Target), len(d.Wave))
	for i := range d.Changes {
		c := &d.Changes[i]
		if c.User != d.Target || c.UPN != "" && c.UPN != d.UPN {
			return fmt.Errorf("change %d of user %q is of somebody else", i, d.Username)
		}
		long = max(long, longest(c.Before), longest(c.After), len(c.Reason), len(c.ID))
	}
	for i := range d.Findings {
		f := &d.Findings[i]
		long = max(long, len(f.Detail), len(f.Field), len(f.Action))
	}
	for i := range d.Facts {
		long = max(long, len(d.Facts[i].Name), len(d.Facts[i].Value))
	}
	if long > MaxText {
		return fmt.Errorf("user %q has a text longer than %d bytes", d.Username, MaxText)
	}
	return nil
}

// longest is the length of the longest text in v.
func longest(v cloud.Value) int {
	n := max(len(v.Text), len(v.State))
	if o := v.OATH; o != nil {
		n = max(n, len(o.Name), len(o.Serial), len(o.Manufacturer), len(o.Model), o.Secret.Len(), len(o.Fingerprint))
	}
	if p := v.Profile; p != nil {
		n = max(n, len(p.UPN), len(p.DisplayName), len(p.SID), len(p.Aliases))
		for _, a := range p.Aliases {
			n = max(n, len(a))
		}
	}
	return n
}

// Problem writes a finding that belongs to no user.
func (w *Writer) Problem(f migrate.Finding) error {
	if w.db == nil {
		return errors.New("the plan file is closed")
	}
	k, err := w.kind(&f)
	if err != nil {
		return err
	}
	w.problems++
	if err := w.rows.problem.add(int64(w.problems), int64(k), f.Field, f.Detail, f.Place); err != nil {
		return w.failed(err)
	}
	return nil
}

// Finish writes the summary, seals the file, brings it to the disk and puts it
// and its key in their places. It returns the digest of F. After an error
// nothing is there, as after Abort.
func (w *Writer) Finish(s migrate.Summary) (digest string, err error) {
	if w.db == nil {
		return "", errors.New("the plan file is closed")
	}
	defer w.Abort()
	if err = w.complete(s); err == nil {
		if digest, err = w.closeFile(); err == nil {
			err = w.publish()
		}
	}
	if err != nil {
		return "", w.failed(err)
	}
	return digest, nil
}

func (w *Writer) complete(s migrate.Summary) error {
	if err := w.rows.flush(); err != nil {
		return err
	}
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	st, err := w.db.prepare(`INSERT INTO summary (name, value) VALUES (?, ?)`)
	if err != nil {
		return err
	}
	if err := st.exec("summary", string(b)); err != nil {
		return err
	}
	if err := w.writeKinds(); err != nil {
		return err
	}
	if err := w.db.exec(`COMMIT`); err != nil {
		return err
	}
	err = w.db.close()
	w.db = nil
	return err
}

// closeFile appends the last line and syncs both files.
func (w *Writer) closeFile() (digest string, err error) {
	f, err := os.OpenFile(w.part, os.O_RDWR, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if digest, err = appendTrailer(f, w.key.mac); err != nil {
		return "", err
	}
	if err := f.Sync(); err != nil {
		return "", err
	}
	text, err := keyFile(w.key, w.recipients)
	if err != nil {
		return "", err
	}
	defer clear(text)
	k, err := os.OpenFile(w.keyPart, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	_, err = k.Write(text)
	return digest, errors.Join(err, k.Sync(), k.Close(), f.Close(), w.unlock())
}

// unlock ends the lock on the file that is built: not every system renames a
// file that is open.
func (w *Writer) unlock() error {
	if w.lock == nil {
		return nil
	}
	err := w.lock.Close()
	w.lock = nil
	return err
}

// publish gives both files their names, the key first: a plan without its key
// would be of no use.
func (w *Writer) publish() error {
	if err := place(w.keyPart, w.keyPlace(), w.overwrite); err != nil {
		return err
	}
	if err := place(w.part, w.path, w.overwrite); err != nil {
		return errors.Join(err, os.Remove(w.keyPlace()))
	}
	if w.overwrite { // the key of the plan that is gone
		if err := os.Remove(w.otherKey()); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return durable.SyncFolder(filepath.Dir(w.path))
}

// place renames from to to, and refuses a name that is taken unless it may be
// overwritten.
func place(from, to string, overwrite bool) error {
	if overwrite {
		return os.Rename(from, to)
	}
	err := durable.Place(from, to)
	if errors.Is(err, os.ErrExist) {
		return taken(to)
	}
	return err
}

// Abort throws away what was written. After Finish it does nothing.
func (w *Writer) Abort() {
	_ = w.db.close()
	w.db = nil
	_ = w.unlock()
	_ = os.Remove(w.part)
	_ = os.Remove(w.keyPart)
}
