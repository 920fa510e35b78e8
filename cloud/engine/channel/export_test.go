package channel

import (
	"log/slog"
	"time"

	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/channel/carrier"
)

// SlowTexts are texts by one driver, of which so many callers may wait.
func SlowTexts(d carrier.Driver, atOnce int) *Texts {
	c := &Channels{early: newEarly(), now: time.Now, log: slog.New(slog.DiscardHandler)}
	l := &line{name: engine.ChannelSMS, now: time.Now, log: c.log, places: make(chan struct{}, atOnce), ways: []*way{{Provider: &Provider{Name: "slow", Mode: Live, Percent: 100}, Driver: d}}}
	return &Texts{Channels: c, conf: &Text{}, byName: map[string]*line{engine.ChannelSMS: l}}
}

// TextsBy are texts by drivers, which are asked one after the other.
func TextsBy(drivers ...carrier.Driver) *Texts {
	t := SlowTexts(nil, 1)
	l := t.byName[engine.ChannelSMS]
	l.ways = nil
	for _, d := range drivers {
		l.ways = append(l.ways, &way{Provider: &Provider{Name: "one of them", Mode: Live, Percent: 100}, Driver: d})
	}
	return t
}

// OnlyPrivate is what may be called without TLS, MayDial what may be called at all.
var (
	OnlyPrivate = onlyPrivate
	MayDial     = mayDial
)

// OpenDriver opens the driver of one provider of a configuration that was checked,
// as [Open] does.
func OpenDriver(o Options, name string) (carrier.Driver, error) {
	for channel, providers := range o.Config.Lines() {
		for i := range providers {
			if providers[i].Name == name {
				return providers[i].open(channel, &o)
			}
		}
	}
	return nil, errNoProvider
}
