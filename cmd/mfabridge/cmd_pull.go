package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
	"mfabridge/legacy/pfsdk"
	"mfabridge/migrate"
)

func (p *program) pullCommand() *cli.Command {
	return &cli.Command{
		Name:  "pull",
		Usage: "read all users from the old server's Web Service SDK into an export; changes nothing there",
		Description: "Sends only operations that read, over TLS, and writes EXPORT when all users are read. If it is stopped,\n" +
			"run the same command again: it goes on. PINs, static tokens and answers to security questions are never kept.\n" +
			"With --wsdl and without --sdk it only compares the server's own WSDL with what it expects; differences end with 2.\n" +
			"It was never tried against a genuine server: read docs/pull.md first.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "sdk", Usage: "`URL` of the Web Service SDK: https://HOST/MultiFactorAuthWebServiceSdk/PfWsSdk.asmx"},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "make the folder `EXPORT`"},
			&cli.StringFlag{Name: "user", Usage: "`NAME` of an account in the group PhoneFactor Admins, DOMAIN\\user"},
			&cli.StringFlag{Name: "password", Usage: "its password: `file:PATH, env:NAME` or prompt"},
			&cli.StringFlag{Name: "client-cert", Usage: "`FILE` (PEM) with a client certificate"},
			&cli.StringFlag{Name: "client-key", Usage: "`FILE` (PEM) with its key, readable by you alone"},
			&cli.StringFlag{Name: "ca", Usage: "trust only the authorities in `FILE` (PEM); default: those of the system"},
			&cli.StringFlag{Name: "proxy", Usage: "go through the proxy at `URL`; default: none, whatever the environment says"},
			&cli.IntFlag{Name: "concurrency", Value: pfsdk.DefaultConcurrency, Usage: "have `N` requests under way"},
			&cli.DurationFlag{Name: "timeout", Value: pfsdk.DefaultTimeout, Usage: "wait so `LONG` for an answer"},
			&cli.StringFlag{Name: "filter-style", Value: string(pfsdk.FilterPrefix), Usage: "how the server filters users by name: prefix, substring or wildcard"},
			&cli.StringFlag{Name: "filter-element", Value: "usernameFilter", Usage: "`NAME` of that filter in the server's WSDL"},
			&cli.IntFlag{Name: "list-limit", Value: pfsdk.DefaultListLimit, Usage: "ask for `N` users at once"},
			&cli.StringFlag{Name: "alphabet", Usage: "`CHARACTERS` that names may begin with or hold, besides ASCII"},
			&cli.StringSliceFlag{Name: "skip", Usage: "do not ask for `WHAT`: devices or blocked"},
			&cli.BoolFlag{Name: "leave-out-failed", Usage: "write the export without the users who could not be read"},
			&cli.StringFlag{Name: "wsdl", Usage: "compare the server's WSDL, saved as `FILE`"},
			formatFlag(),
		},
		Action: p.pull,
	}
}

func (p *program) pull(c *cli.Context) error {
	if _, err := args(c); err != nil {
		return err
	}
	asJSON, err := format(c)
	if err != nil {
		return err
	}
	if file := c.String("wsdl"); file != "" {
		differs, breaks, err := p.compareWSDL(file, c.String("filter-element"), asJSON)
		if err != nil {
			return err
		}
		if breaks || differs && c.String("sdk") == "" {
			return &exit{code: exitPending}
		}
	}
	if c.String("sdk") == "" {
		if c.String("wsdl") != "" {
			return nil
		}
		return usage("--sdk is missing", "say where the Web Service SDK is, e.g. --sdk https://mfa.contoso.example/MultiFactorAuthWebServiceSdk/PfWsSdk.asmx")
	}
	if c.String("out") == "" {
		return usage("--out is missing", "say where the export goes, e.g. -o export")
	}
	options, err := p.pullOptions(c)
	if err != nil {
		return err
	}
	config, err := p.sdkConfig(c)
	if err != nil {
		return err
	}
	client, err := pfsdk.NewClient(config, options.Concurrency)
	if err != nil {
		return err
	}
	defer client.Close()
	result, err := p.pulling(c, client, options)
	return errors.Join(p.printPulled(result, options.Out, asJSON), pulled(result, err))
}

func (p *program) pullOptions(c *cli.Context) (pfsdk.PullOptions, error) {
	o := pfsdk.PullOptions{
		Out: c.String("out"), Concurrency: c.Int("concurrency"), LeaveOutFailed: c.Bool("leave-out-failed"), Now: p.now,
		Search: pfsdk.Search{Style: pfsdk.FilterStyle(c.String("filter-style")), Limit: c.Int("list-limit"), Alphabet: pfsdk.DefaultAlphabet + c.String("alphabet")},
	}
	if o.Concurrency < 1 || o.Concurrency > pfsdk.MaxConcurrency {
		return o, usage(fmt.Sprintf("--concurrency cannot be %d", o.Concurrency), fmt.Sprintf("use 1 to %d", pfsdk.MaxConcurrency))
	}
	if o.Search.Limit < 1 {
		return o, usage("--list-limit must be at least 1", "leave it out for the usual one")
	}
	switch o.Search.Style {
	case pfsdk.FilterPrefix, pfsdk.FilterSubstring, pfsdk.FilterWildcard:
	default:
		return o, usage(fmt.Sprintf("--filter-style cannot be %q", o.Search.Style), "use prefix, substring or wildcard")
	}
	for _, what := range c.StringSlice("skip") {
		switch what {
		case "devices":
			o.SkipDevices = true
		case "blocked":
			o.SkipBlocked = true
		default:
			return o, usage(fmt.Sprintf("--skip cannot be %q", what), "use devices or blocked")
		}
	}
	return o, nil
}

// sdkConfig reads what is needed to be let in.
func (p *program) sdkConfig(c *cli.Context) (config pfsdk.Config, err error) {
	config = pfsdk.Config{URL: c.String("sdk"), User: c.String("user"), Timeout: c.Duration("timeout"), FilterElement: c.String("filter-element")}
	if config.Timeout <= 0 {
		return config, usage("--timeout must be more than 0", "leave it out for the usual one")
	}
	if ref := c.String("password"); ref != "" {
		if config.User == "" {
			return config, usage("--password is given without --user", "say whose password it is")
		}
		if config.Password, err = p.sdkPassword(c.Context, ref, config.User); err != nil {
			return config, err
		}
	}
	if config.Certificate, err = clientCertificate(c.String("client-cert"), c.String("client-key")); err != nil {
		return config, err
	}
	if config.CA, err = loadCA(c.String("ca")); err != nil {
		return config, err
	}
	if proxy := c.String("proxy"); proxy != "" {
		u, err := url.Parse(proxy)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return config, usage("--proxy is not an address", "write http://HOST:PORT")
		}
		config.Proxy = u
	}
	return config, nil
}

// sdkPassword reads one from where ref says, or asks for it.
func (p *program) sdkPassword(ctx context.Context, ref, user string) (secret.Bytes, error) {
	if ref != "prompt" {
		return secret.Load(ref)
	}
	in := p.keyboard()
	if in == nil {
		return secret.Bytes{}, usage("there is no terminal to ask for the password on", "use --password file:PATH or env:NAME")
	}
	word, err := p.hidden(ctx, in, "Password of "+migrate.Plain(user)+": ")
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("the password cannot be read: %w", err)
	}
	return word, nil
}

func clientCertificate(certFile, keyFile string) (*tls.Certificate, error) {
	if certFile == "" && keyFile == "" {
		return nil, nil
	}
	if certFile == "" || keyFile == "" {
		return nil, usage("--client-cert and --client-key belong together", "give both")
	}
	chain, err := os.ReadFile(certFile)
	if err != nil {
		return nil, fmt.Errorf("the client certificate cannot be read: %w", err)
	}
	key, err := secret.ReadFile(keyFile)
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	pair, err := tls.X509KeyPair(chain, key.Reveal())
	if err != nil {
		return nil, hint.New("the client certificate and its key do not fit each other, or are not PEM", "convert a .pfx with: openssl pkcs12 -in FILE.pfx -out FILE.pem")
	}
	return &pair, nil
}

// pulling shows the progress: first of the lists, then of the users.
func (p *program) pulling(c *cli.Context, client *pfsdk.Client, o pfsdk.PullOptions) (pfsdk.PullResult, error) {
	bar := p.progress("listing users", 0)
	listing := true
	o.Search.Progress = func(users, _ int) { bar.at(int64(users), 0) }
	o.Progress = func(done, total, failed int) {
		if listing {
			bar.end()
			bar, listing = p.progress("pulling", int64(total)), false
		}
		bar.at(int64(done), int64(failed))
	}
	result, err := client.Pull(c.Context, o)
	bar.end()
	return result, err
}

// pulled turns what came of a pull into the end of the program.
func pulled(r pfsdk.PullResult, err error) error {
	switch {
	case errors.Is(err, pfsdk.ErrUnavailable):
		return &exit{code: exitUnavailable, err: hint.Wrap(err, "run the same command again; what was read is kept")}
	case errors.Is(err, pfsdk.ErrLocked):
		return &exit{code: exitNotNow, err: hint.Wrap(err, "wait until it ends, or give another -o")}
	case err != nil:
		return err
	case r.Failed > 0 && !r.Written:
		return &exit{code: exitPartly, err: hint.New(users(r.Failed)+" could not be read; nothing was written yet",
			"run the same command again: the others are not asked for again; --leave-out-failed writes the export without them")}
	case r.Failed > 0:
		return &exit{code: exitPartly, err: hint.New(migrate.Number(r.Failed, "user could not be read and is", "users could not be read and are")+" not in the export", "pull again into another folder once the cause is mended")}
	}
	return nil
}

func (p *program) printPulled(r pfsdk.PullResult, out string, asJSON bool) error {
	if asJSON {
		return p.pulledJSON(r, out)
	}
	for _, f := range r.Failures {
		fmt.Fprintf(p.out, "! %s: %s\n", migrate.Plain(f.Username), migrate.Plain(f.Err.Error()))
	}
	if more := r.Failed - len(r.Failures); more > 0 {
		fmt.Fprintf(p.out, "! and %d more\n", more)
	}
	for _, w := range r.Warnings {
		fmt.Fprintf(p.out, "warning   %s\n", migrate.Plain(w))
	}
	if !r.Written {
		return nil
	}
	fmt.Fprintf(p.out, "users     %d, %d of them blocked; %d were gone when asked for\n", r.Users, r.Blocked, r.Gone)
	fmt.Fprintf(p.out, "devices   %d; the SDK tells no code secret of the app\n", r.Devices)
	fmt.Fprintf(p.out, "tokens    %d, %d with a secret\n", r.Tokens, r.TokensWithSecret)
	_, err := fmt.Fprintf(p.out, "export    %s\nnext      mfabridge inspect %s\n", out, out)
	return err
}

func (p *program) pulledJSON(r pfsdk.PullResult, out string) error {
	for _, f := range r.Failures {
		if err := p.jsonLine(map[string]any{"type": "failure", "username": f.Username, "error": f.Err.Error()}); err != nil {
			return err
		}
	}
	for _, w := range r.Warnings {
		if err := p.jsonLine(map[string]any{"type": "warning", "text": w}); err != nil {
			return err
		}
	}
	summary := map[string]any{"type": "summary", "written": r.Written, "resumed": r.Resumed, "users": r.Users, "blocked": r.Blocked, "gone": r.Gone,
		"devices": r.Devices, "tokens": r.Tokens, "tokens_with_secret": r.TokensWithSecret, "failed": r.Failed, "export": nil}
	if r.Written {
		summary["export"] = out
	}
	return p.jsonLine(summary)
}

// compareWSDL says how a server's own description differs.
func (p *program) compareWSDL(file, filterElement string, asJSON bool) (differs, breaks bool, err error) {
	f, err := os.Open(file)
	if err != nil {
		return false, false, hint.Wrap(fmt.Errorf("the WSDL cannot be read: %w", err), "save …/PfWsSdk.asmx?WSDL from a browser on the server")
	}
	defer f.Close()
	differences, err := pfsdk.CompareWSDL(f, filterElement)
	if err != nil {
		return false, false, fmt.Errorf("%s cannot be read: %w", file, err)
	}
	for _, d := range differences {
		breaks = breaks || d.Breaks
		if asJSON {
			err = p.jsonLine(map[string]any{"type": "difference", "line": d.Line, "breaks": d.Breaks, "text": d.Text})
		} else {
			_, err = fmt.Fprintln(p.out, differenceLine(d))
		}
		if err != nil {
			return false, false, err
		}
	}
	if !asJSON && len(differences) == 0 {
		_, err = fmt.Fprintln(p.out, "the WSDL is what mfabridge expects")
	}
	return len(differences) > 0, breaks, err
}

func differenceLine(d pfsdk.Difference) string {
	var b strings.Builder
	b.WriteString("* ")
	if d.Breaks {
		b.Reset()
		b.WriteString("! ")
	}
	if d.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", d.Line)
	}
	b.WriteString(migrate.Plain(d.Text))
	return b.String()
}
