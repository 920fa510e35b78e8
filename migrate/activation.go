package migrate

import (
	"time"

	"mfabridge/legacy"
)

// Platform is what a mobile app runs on, as far as its way of being pushed to
// tells.
type Platform string

// Platforms, in the order of reports.
const (
	PlatformIOS          Platform = "iOS"
	PlatformAndroid      Platform = "Android"
	PlatformOldAndroid   Platform = "Android (C2DM)"
	PlatformWindowsPhone Platform = "Windows Phone"
	PlatformBlackBerry   Platform = "BlackBerry"
	PlatformOther        Platform = "other"
	PlatformUnknown      Platform = "not said"
)

// Platforms lists all of them.
var Platforms = [...]Platform{PlatformIOS, PlatformAndroid, PlatformOldAndroid, PlatformWindowsPhone,
	PlatformBlackBerry, PlatformOther, PlatformUnknown}

// platformOf reads a NotificationType of the old server.
func platformOf(notificationType string) Platform {
	switch notificationType {
	case "apns":
		return PlatformIOS
	case "gcm", "fcm":
		return PlatformAndroid
	case "c2dm":
		return PlatformOldAndroid
	case "mpns":
		return PlatformWindowsPhone
	case "bps":
		return PlatformBlackBerry
	case "":
		return PlatformUnknown
	default:
		return PlatformOther
	}
}

// Age says how long ago something was.
type Age string

// Ages, youngest first.
const (
	AgeOneYear    Age = "up to 1 year"
	AgeTwoYears   Age = "1 to 2 years"
	AgeThreeYears Age = "2 to 3 years"
	AgeOlder      Age = "over 3 years"
	AgeUnknown    Age = "not said"
)

// Ages lists all of them.
var Ages = [...]Age{AgeOneYear, AgeTwoYears, AgeThreeYears, AgeOlder, AgeUnknown}

// ageOf is how old then was at a time. What is yet to come is young.
func ageOf(then, at time.Time) Age {
	switch {
	case then.IsZero():
		return AgeUnknown
	case !then.Before(at.AddDate(-1, 0, 0)):
		return AgeOneYear
	case !then.Before(at.AddDate(-2, 0, 0)):
		return AgeTwoYears
	case !then.Before(at.AddDate(-3, 0, 0)):
		return AgeThreeYears
	default:
		return AgeOlder
	}
}

// activationsAt is the time from which ages count: that of the export, since
// an old one is not about today.
func (o Options) activationsAt() time.Time {
	if o.ExportTime.IsZero() {
		return o.Now
	}
	return o.ExportTime
}

func (s *Summary) addActivation(d *legacy.Device, at time.Time) {
	p := platformOf(d.NotificationType)
	if s.Activated[p] == nil {
		s.Activated[p] = map[Age]int{}
	}
	s.Activated[p][ageOf(d.Activated, at)]++
}
