package pfsdk

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"mfabridge/internal/durable"
)

// Files of an export, and the columns that the SDK can fill (docs/export.md).
const (
	usersFile    = "users.csv"
	devicesFile  = "devices.csv"
	settingsFile = "settings.json"
	manifestFile = "manifest.json"
)

func userColumns() []string {
	return []string{"Username", "FirstName", "LastName", "EmailAddress", "UserGroup", "CountryCode", "Phone", "Extension",
		"BackupCountryCode", "BackupPhone", "BackupExtension", "KeepPhoneSynchronized", "Mode", "PinMode", "SmsDirection", "SmsMode",
		"PhoneAppMode", "Enabled", "DisabledBehavior", "Blocked", "PinSet", "StaticTokenSet", "SecurityQuestionsSet",
		"OathTokenExists", "OathTokenSerialNumber", "OathTokenSecretKey", "OathTokenTimeInterval", "PhoneAppActivated", "Language"}
}

func deviceColumns() []string {
	return []string{"Username", "UserDeviceId", "DeviceName", "DeviceToken", "NotificationType", "PhoneAppVersion", "OathTokenSecretKey"}
}

// finish writes the export into the folder of the progress, and makes it the
// one that was asked for.
func finish(p *progress, o PullOptions, result *PullResult) error {
	folder := filepath.Join(p.folder, "export")
	if err := os.RemoveAll(folder); err != nil { // of a run that was stopped here
		return err
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		return err
	}
	sums := map[string]string{}
	tables := func(users, devices *table) error { return p.tables(users, devices, result) }
	if err := twoTables(folder, sums, tables); err != nil {
		return err
	}
	if err := writeJSON(folder, settingsFile, settings(p.header), sums); err != nil {
		return err
	}
	manifest := map[string]any{"format": "mfabridge-export", "version": 1, "created": p.header.Created, "sha256": sums,
		"source": "Web Service SDK at " + p.header.URL}
	if err := writeJSON(folder, manifestFile, manifest, map[string]string{}); err != nil {
		return err
	}
	if err := durable.SyncFolder(folder); err != nil {
		return err
	}
	if err := refuseExisting(o.Out); err != nil {
		return err
	}
	if err := os.Rename(folder, o.Out); err != nil {
		return fmt.Errorf("the export cannot be put in its place: %w", err)
	}
	if err := durable.SyncFolder(filepath.Dir(o.Out)); err != nil {
		return err
	}
	result.Written = true
	return os.RemoveAll(p.folder)
}

// tables writes all users, in the order of their names, and counts them.
func (p *progress) tables(users, devices *table, result *PullResult) error {
	for _, name := range p.header.Usernames {
		l, ok, err := p.user(name)
		if err != nil {
			return err
		}
		if !ok {
			continue // failed, and left out
		}
		if l.Gone {
			result.Gone++
			continue
		}
		result.count(l)
		users.row(l.Username, l.Fields)
		for _, d := range l.Devices {
			devices.row(l.Username, d)
		}
	}
	return nil
}

func (r *PullResult) count(l line) {
	r.Users++
	r.Devices += len(l.Devices)
	if isTrue(l.Fields.get("Blocked")) {
		r.Blocked++
	}
	secret := l.Fields.get("OathTokenSecretKey") != ""
	if secret || l.Fields.get("OathTokenSerialNumber") != "" {
		r.Tokens++
	}
	if secret {
		r.TokensWithSecret++
	}
}

// settings is settings.json: what the SDK tells about the company.
func settings(h header) map[string]any {
	all := map[string]any{}
	if len(h.Defaults) > 0 {
		all["customerDefaults"] = typed(h.Defaults)
	}
	if len(h.Portal) > 0 {
		all["userPortal"] = typed(h.Portal)
	}
	return all
}

// typed makes booleans and numbers of what is one.
func typed(v values) map[string]any {
	object := map[string]any{}
	for _, pair := range v {
		text := pair[1]
		n, err := strconv.Atoi(text)
		switch {
		case text == "true" || text == "false":
			object[pair[0]] = text == "true"
		case err == nil && strconv.Itoa(n) == text:
			object[pair[0]] = n
		default:
			object[pair[0]] = text
		}
	}
	return object
}

// table is a CSV file (RFC 4180) that is being written.
type table struct {
	columns []string
	out     *bufio.Writer
}

func newTable(w io.Writer, columns []string) *table {
	t := &table{columns: columns, out: bufio.NewWriterSize(w, 1<<16)}
	t.write(columns)
	return t
}

// row writes a user's values. Errors are kept by the writer until it is flushed.
func (t *table) row(username string, v values) {
	cells := make([]string, len(t.columns))
	for i, column := range t.columns {
		cells[i] = v.get(column)
	}
	cells[0] = username
	t.write(cells)
}

func (t *table) write(cells []string) {
	for i, cell := range cells {
		if i > 0 {
			_ = t.out.WriteByte(',')
		}
		if strings.ContainsAny(cell, ",\"\r\n") || strings.TrimSpace(cell) != cell {
			cell = `"` + strings.ReplaceAll(cell, `"`, `""`) + `"`
		}
		_, _ = t.out.WriteString(cell)
	}
	_, _ = t.out.WriteString("\r\n")
}

// twoTables opens both tables at once: a user's devices come with the user.
func twoTables(folder string, sums map[string]string, fill func(users, devices *table) error) error {
	return writeFile(folder, usersFile, sums, func(u io.Writer) error {
		return writeFile(folder, devicesFile, sums, func(d io.Writer) error {
			users, devices := newTable(u, userColumns()), newTable(d, deviceColumns())
			err := fill(users, devices)
			return errors.Join(err, users.out.Flush(), devices.out.Flush())
		})
	})
}

func writeJSON(folder, name string, v any, sums map[string]string) error {
	return writeFile(folder, name, sums, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(v)
	})
}

// writeFile writes a file that only its owner may read, to the disk, and keeps
// its sum.
func writeFile(folder, name string, sums map[string]string, fill func(io.Writer) error) (err error) {
	f, err := os.OpenFile(filepath.Join(folder, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	sum := sha256.New()
	if err := fill(io.MultiWriter(f, sum)); err != nil {
		return fmt.Errorf("%s cannot be written: %w", name, err)
	}
	sums[name] = hex.EncodeToString(sum.Sum(nil))
	return f.Sync()
}
