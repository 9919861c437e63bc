package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // the practice's zone must be known on a machine without a zone database

	"carebell/views"
	"carebell/web"
	"carebell/web/archive"
	"carebell/web/intake"
	"carebell/web/metriport"
)

// documented are the settings this version uses.
var documented = []struct{ name, usual, help string }{
	{"CAREBELL_ADDR", "127.0.0.1:8080", "address to listen on"},
	{"CAREBELL_WEBHOOK_ADDR", "", "a further address to listen on, for webhooks alone: pages then need not be reachable from outside"},
	{"CAREBELL_DATA", "./data", "data folder; made where missing"},
	{"CAREBELL_WEBHOOK_KEYS", "", "webhook keys, separated by commas, each optionally key@expiry (RFC 3339)"},
	{"CAREBELL_TIMEZONE", "", "the practice's time zone, like America/Chicago; the computer's where not set"},
	{"CAREBELL_PUBLIC_URL", "", "how browsers and Metriport reach this server, like https://carebell.example.org"},
	{"CAREBELL_TRUSTED_PROXIES", "", "addresses or ranges of proxies to believe, separated by commas"},
	{"CAREBELL_DOWNLOAD_HOSTS", "", "host:port that download links may lead to beside Metriport's own, separated by commas"},
	{"CAREBELL_DATA_KEY", "", "key that downloads are encrypted with, 32 bytes as base64; a key file in the data folder where not set"},
	{"CAREBELL_KEEP_FILES", "", "days that downloads are kept; for ever where not set"},
	{"CAREBELL_METRIPORT_API_KEY", "", "key of Metriport's API, for the proof of completeness and fresh links to documents"},
	{"CAREBELL_METRIPORT_API_URL", "https://api.metriport.com", "address of Metriport's API; the sandbox's is https://api.sandbox.metriport.com"},
	{"CAREBELL_TLS_CERT", "", "certificate file, to serve TLS without a proxy"},
	{"CAREBELL_TLS_KEY", "", "its key file"},
}

// later are settings of the documented surface that this version does not use yet: they are accepted with a warning.
var later = []string{
	"CAREBELL_METRICS_ADDR", "CAREBELL_OIDC_",
}

// settings are the words that were given, by the names of the environment.
type settings struct {
	values map[string]string
	from   map[string]string // where a value came from, in words
	unused []string
}

// readEnvironment takes the settings from the environment. A name that begins with CAREBELL_ and is not known is an
// error: it is most likely a slip, and a setting that does nothing is worse than none.
func readEnvironment(env []string) (*settings, error) {
	s := &settings{values: map[string]string{}, from: map[string]string{}}
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, "CAREBELL_") {
			continue
		}
		switch {
		case known(name):
			s.set(name, value, "environment")
		case accepted(name):
			s.unused = append(s.unused, name)
		default:
			return nil, fmt.Errorf("the setting %s is not known: correct its name or remove it (carebell help lists the settings)", name)
		}
	}
	return s, nil
}

func known(name string) bool {
	for _, d := range documented {
		if d.name == name {
			return true
		}
	}
	return false
}

func accepted(name string) bool {
	for _, l := range later {
		if name == l || strings.HasSuffix(l, "_") && strings.HasPrefix(name, l) {
			return true
		}
	}
	return false
}

func (s *settings) set(name, value, from string) {
	s.values[name], s.from[name] = value, from
}

// secret are the settings whose values nobody is shown.
var secret = []string{"CAREBELL_DATA_KEY", "CAREBELL_METRIPORT_API_KEY"}

// shown lists the settings in force with where each came from. Secrets are masked; of webhook keys the fingerprints are
// shown.
func (s *settings) shown(keys []intake.Key) []views.SettingRow {
	var out []views.SettingRow
	for _, d := range documented {
		row := views.SettingRow{Name: d.name, Value: s.get(d.name), Source: "default"}
		if strings.TrimSpace(s.values[d.name]) != "" {
			row.Source = s.from[d.name]
		}
		switch {
		case row.Value == "":
			row.Value = "not set"
		case d.name == "CAREBELL_WEBHOOK_KEYS":
			row.Value = fingerprints(keys)
		case slices.Contains(secret, d.name):
			row.Value = "set"
		}
		out = append(out, row)
	}
	return out
}

func fingerprints(keys []intake.Key) string {
	var ids []string
	for _, k := range keys {
		ids = append(ids, k.ID())
	}
	return "set, fingerprint " + strings.Join(ids, " and ")
}

// get returns a setting, or what it usually is.
func (s *settings) get(name string) string {
	if v := strings.TrimSpace(s.values[name]); v != "" {
		return v
	}
	for _, d := range documented {
		if d.name == name {
			return d.usual
		}
	}
	return ""
}

var errHelp = errors.New("help was asked for")

// flags makes a set of flags that knows every setting, and has room for a command's own.
func (s *settings) flags(command string) *flag.FlagSet {
	f := flag.NewFlagSet(command, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	for _, d := range documented {
		name := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(d.name, "CAREBELL_"), "_", "-"))
		f.Func(name, d.help, func(v string) error { s.set(d.name, v, "flag"); return nil })
	}
	return f
}

// parse reads flags and up to words other words, which may stand before or among the flags.
func parse(f *flag.FlagSet, args []string, words int, t terminal) ([]string, error) {
	var got []string
	for {
		if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
			f.SetOutput(t.out)
			f.Usage()
			return nil, errHelp
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w; carebell %s --help lists its flags", f.Name(), err, f.Name())
		}
		if f.NArg() == 0 {
			break
		}
		got, args = append(got, f.Arg(0)), f.Args()[1:]
	}
	if len(got) > words {
		return nil, fmt.Errorf("%s: %q is one word too many; carebell help shows how it is used", f.Name(), got[words])
	}
	return got, nil
}

// config makes the words into a server's configuration. Errors are one sentence that says what to do.
func (s *settings) config(t terminal) (web.Config, error) {
	c := web.Config{
		Addr: s.get("CAREBELL_ADDR"), TLSCert: s.get("CAREBELL_TLS_CERT"), TLSKey: s.get("CAREBELL_TLS_KEY"),
		Now: now, Log: slog.New(slog.NewTextHandler(t.log, nil)),
	}
	listened := []struct{ setting, addr string }{{"CAREBELL_ADDR", c.Addr}}
	if c.WebhookAddr = s.get("CAREBELL_WEBHOOK_ADDR"); c.WebhookAddr != "" {
		listened = append(listened, struct{ setting, addr string }{"CAREBELL_WEBHOOK_ADDR", c.WebhookAddr})
	}
	for _, l := range listened {
		_, port, err := net.SplitHostPort(l.addr)
		if err != nil || port == "" {
			return c, fmt.Errorf("%s is %q, which is not host:port: write it like 127.0.0.1:8080", l.setting, l.addr)
		}
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return c, fmt.Errorf("%s is %q, which has no usable port: write it like 127.0.0.1:8080", l.setting, l.addr)
		}
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return c, errors.New("CAREBELL_TLS_CERT and CAREBELL_TLS_KEY belong together: set both or neither")
	}
	if v := s.get("CAREBELL_PUBLIC_URL"); v != "" {
		u, err := url.Parse(v)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
			return c, fmt.Errorf("CAREBELL_PUBLIC_URL is %q, which is not the address of a server: write it like https://carebell.example.org", v)
		}
		c.PublicURL = u
	}
	encrypted := c.TLSCert != "" || c.PublicURL != nil && c.PublicURL.Scheme == "https"
	for _, l := range listened {
		if !web.Loopback(l.addr) && !encrypted {
			host, _, _ := net.SplitHostPort(l.addr)
			return c, fmt.Errorf("%s %s can be reached from other computers (host %q), and patient data must not travel in clear: set CAREBELL_TLS_CERT and CAREBELL_TLS_KEY, or CAREBELL_PUBLIC_URL=https://… for a proxy that does TLS", l.setting, l.addr, host)
		}
	}
	var err error
	if c.TrustedProxies, err = s.proxies(); err != nil {
		return c, err
	}
	if c.Keys, err = webhookKeys(s.get("CAREBELL_WEBHOOK_KEYS")); err != nil {
		return c, err
	}
	c.DataDir, c.DataKey, c.DownloadHosts = s.get("CAREBELL_DATA"), s.get("CAREBELL_DATA_KEY"), split(s.get("CAREBELL_DOWNLOAD_HOSTS"))
	guard, err := archive.NewGuard(c.DownloadHosts)
	if err != nil {
		return c, fmt.Errorf("CAREBELL_DOWNLOAD_HOSTS: %w; write it like files.example.org:443", err)
	}
	c.APIKey = s.get("CAREBELL_METRIPORT_API_KEY")
	if c.APIURL, err = guard.APIURL(s.get("CAREBELL_METRIPORT_API_URL")); err != nil {
		return c, fmt.Errorf("CAREBELL_METRIPORT_API_URL %w: write it like https://api.metriport.com, or leave it out", err)
	}
	if v := s.get("CAREBELL_KEEP_FILES"); v != "" {
		days, err := strconv.ParseUint(v, 10, 16)
		if err != nil || days == 0 {
			return c, fmt.Errorf("CAREBELL_KEEP_FILES is %q, which is not a number of days: write it like 2190, or leave it out to keep files for ever", v)
		}
		c.KeepFiles = time.Duration(days) * 24 * time.Hour
	}
	c.Zone = time.Local
	if v := s.get("CAREBELL_TIMEZONE"); v != "" {
		if c.Zone, err = time.LoadLocation(v); err != nil {
			return c, fmt.Errorf("CAREBELL_TIMEZONE is %q, which is not a time zone: write it like America/Chicago", v)
		}
	}
	c.Settings = s.shown(c.Keys)
	return c, nil
}

func (s *settings) proxies() ([]string, error) {
	var out []string
	for _, p := range split(s.get("CAREBELL_TRUSTED_PROXIES")) {
		_, errAddr := netip.ParseAddr(p)
		_, errRange := netip.ParsePrefix(p)
		if errAddr != nil && errRange != nil {
			return nil, fmt.Errorf("CAREBELL_TRUSTED_PROXIES has %q, which is neither an address nor a range: write it like 10.0.0.5 or 10.0.0.0/24", p)
		}
		out = append(out, p)
	}
	return out, nil
}

// webhookKeys reads key[@expiry],… . A key that has expired is accepted and not used, so that a rotation needs no
// second restart.
func webhookKeys(text string) ([]intake.Key, error) {
	var keys []intake.Key
	for i, part := range split(text) {
		k := intake.Key{Value: part}
		if at := strings.LastIndex(part, "@"); at >= 0 {
			t, err := metriport.ParseTime(part[at+1:])
			if err != nil {
				return nil, fmt.Errorf("key %d of CAREBELL_WEBHOOK_KEYS has an expiry that is not a time: write it like key@2026-12-31T00:00:00Z", i+1)
			}
			k.Value, k.Expires = part[:at], t
		}
		if k.Value == "" {
			return nil, fmt.Errorf("key %d of CAREBELL_WEBHOOK_KEYS is empty: copy the one that Metriport's dashboard shows", i+1)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

func split(list string) []string {
	var out []string
	for _, part := range strings.Split(list, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// dataFolder returns the data folder, and an error where a command needs one that is already there.
func (s *settings) dataFolder(mustExist bool) (string, error) {
	dir := s.get("CAREBELL_DATA")
	if mustExist {
		if _, err := os.Stat(dir); err != nil {
			return "", fmt.Errorf("there is no data folder %s: name the right one with CAREBELL_DATA", dir)
		}
	}
	return dir, nil
}
