package migrate

import (
	"context"

	"mfabridge/cloud"
)

// Inspect reads an export as [Plan] does, against an imaginary target that is
// empty, creates everybody and takes everything: what cannot move there cannot
// move anywhere. Options that speak of a target do not count.
func Inspect(ctx context.Context, src Source, opt Options, out Sink) (Summary, error) {
	opt.CreateUsers = true
	opt.Email = EmailAll
	return run(ctx, src, &finder{caps: imaginary(), opt: opt, imaginary: true}, out)
}

// imaginary is what the target of an inspection takes.
func imaginary() cloud.Capabilities {
	all := cloud.Access{Create: true, Read: true, Update: true, Delete: true}
	everyWay := []cloud.Preference{cloud.Push, cloud.OATHCode, cloud.SMS,
		cloud.VoiceMobile, cloud.VoiceAlternateMobile, cloud.VoiceOffice}
	methods := make(map[cloud.Method]cloud.Access)
	for _, m := range cloud.Methods() {
		methods[m] = all
	}
	return cloud.Capabilities{
		Instance:    "inspection",
		Product:     "nothing in particular",
		Batch:       1000,
		CreateUsers: true, Aliases: true, Disable: true, Block: true,
		Methods:       methods,
		DefaultMethod: all,
		Preferences:   everyWay,
		DefaultIsUsed: true,
		EmailVerifies: true,
		OATH: cloud.OATHCapabilities{
			Limit:        5,
			Algorithms:   []cloud.Algorithm{cloud.SHA1, cloud.SHA256, cloud.SHA512},
			Digits:       []int{6, 8},
			Periods:      []int{30, 60},
			Fingerprints: true,
			Activates:    true,
			MinSecret:    10,
			MaxSecret:    128,
			MaxDrift:     500,
		},
		Telephony: everyWay,
	}
}
