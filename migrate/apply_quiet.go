package migrate

import (
	"fmt"
	"strings"
	"time"

	"mfabridge/internal/hint"
)

// QuietHours are hours of the day in which nothing may be written, on some
// days of the week, by the clock of one place.
type QuietHours struct {
	from, to time.Duration // since midnight; to before from: until the next day
	days     [7]bool       // on which the hours begin, by time.Weekday
	zone     *time.Location
}

// QuietError says that a run stopped, or did not start, because quiet hours
// are on. What was begun is finished and recorded.
type QuietError struct {
	Until time.Time
}

func (e *QuietError) Error() string {
	return fmt.Sprintf("quiet hours are on until %s", e.Until.Format("Mon 2006-01-02 15:04 MST"))
}

const quietAdvice = "write it as FROM-TO[,DAYS][,ZONE], e.g. 08:00-18:00,mon-fri,Europe/Berlin"

// weekdays are as they are written, in the order of time.Weekday.
var weekdays = [...]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// ParseQuietHours reads "08:00-18:00", with days ("mon-fri", "sat") and the
// name of a time zone behind it, each after a comma; without them every day
// counts, in zone; where that is nil, because it is not known, one has to be named. Hours that end before they begin end on the next day;
// 00:00-24:00 is a whole day.
func ParseQuietHours(text string, zone *time.Location) (QuietHours, error) {
	q := QuietHours{zone: zone}
	parts := strings.Split(text, ",")
	from, to, ok := strings.Cut(parts[0], "-")
	var good [2]bool
	q.from, good[0] = clockTime(from)
	q.to, good[1] = clockTime(to)
	if !ok || !good[0] || !good[1] || q.from == q.to || q.from == 24*time.Hour {
		return q, hint.New(fmt.Sprintf("%q are no quiet hours", text), quietAdvice)
	}
	days := false
	for _, part := range parts[1:] {
		if first, last, ok := dayRange(part); ok {
			days = true
			for d := first; ; d = (d + 1) % 7 {
				q.days[d] = true
				if d == last {
					break
				}
			}
			continue
		}
		place, err := time.LoadLocation(strings.TrimSpace(part))
		if err != nil || strings.TrimSpace(part) == "" {
			return q, hint.New(fmt.Sprintf("%q is neither a day nor a time zone", part), quietAdvice)
		}
		q.zone = place
	}
	if q.zone == nil {
		return q, hint.New(fmt.Sprintf("%q names no time zone, and that of this machine is not known: its variable TZ is none", text), "name one behind the hours, e.g. 08:00-18:00,Europe/Berlin, or set TZ right")
	}
	if !days {
		q.days = [7]bool{true, true, true, true, true, true, true}
	}
	return q, nil
}

// clockTime reads "08:00"; "24:00" is the end of a day.
func clockTime(text string) (time.Duration, bool) {
	text = strings.TrimSpace(text)
	if text == "24:00" {
		return 24 * time.Hour, true
	}
	t, err := time.Parse("15:04", text)
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, err == nil
}

// dayRange reads "mon" and "mon-fri".
func dayRange(text string) (first, last int, ok bool) {
	one, other, isRange := strings.Cut(strings.ToLower(strings.TrimSpace(text)), "-")
	if !isRange {
		other = one
	}
	first, last = -1, -1
	for i, name := range weekdays {
		if name == one {
			first = i
		}
		if name == other {
			last = i
		}
	}
	return first, last, first >= 0 && last >= 0
}

// At tells whether the hours are on at a time, and until when.
func (q QuietHours) At(now time.Time) (until time.Time, on bool) {
	now = now.In(q.zone)
	for back := range 2 { // those that began today, then those that began yesterday
		// The day by its name: where summer time begins at midnight, the day's
		// first hour may be counted to the day before.
		y, m, d := now.AddDate(0, 0, -back).Date()
		begin, end := q.on(y, m, d, q.from), q.on(y, m, d, q.to)
		if q.to < q.from {
			end = q.on(y, m, d+1, q.to)
		}
		if q.days[time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Weekday()] && !now.Before(begin) && now.Before(end) {
			return end, true
		}
	}
	return time.Time{}, false
}

// on is the time of a clock on a day; a change of summer time moves it.
func (q QuietHours) on(y int, m time.Month, d int, clock time.Duration) time.Time {
	return time.Date(y, m, d, int(clock/time.Hour), int(clock%time.Hour/time.Minute), 0, 0, q.zone)
}

// Admits says no while quiet hours are on: with a *[QuietError].
func (o ApplyOptions) Admits(now time.Time) error {
	for _, q := range o.Quiet {
		if until, on := q.At(now); on {
			return hint.Wrap(&QuietError{Until: until}, "what was done is recorded; run the same command again when they have ended")
		}
	}
	return nil
}

// quiet ends a run when quiet hours begin. It does not wait for their end: it
// would keep the lock of the target for hours.
func (a *applier) quiet() error { return a.opts.Admits(a.opts.Now()) }
