package main_test

import (
	"database/sql"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite"
)

// refusal is a command that cannot be carried out. want is part of the sentence that says why and what to do.
type refusal struct {
	name     string
	args     []string
	settings []string
	stdin    string
	want     []string
	wantNot  string
}

func TestMistakeIsOneSentence(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	missing, made := filepath.Join(t.TempDir(), "missing"), filepath.Join(t.TempDir(), "made")
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = busy.Close() }()
	newer := newerFolder(t)
	noDatabase := t.TempDir()
	if err := os.WriteFile(filepath.Join(noDatabase, "carebell.db"), []byte(strings.Repeat("this is not a database\n", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	served := t.TempDir()
	serve(t, served)

	const addr = "CAREBELL_ADDR=127.0.0.1:0"
	setting := func(s ...string) []string { return append([]string{"CAREBELL_DATA=" + made}, s...) }
	data := func(dir string) []string { return []string{addr, "CAREBELL_DATA=" + dir} }
	serving := []string{"serve"}
	for _, r := range []refusal{
		{name: "a name that is not known", settings: setting("CAREBELL_ADRR=127.0.0.1:0"), want: []string{"CAREBELL_ADRR", "carebell help"}},
		{name: "a name that is not known, with a secret", settings: setting("CAREBELL_WEBHOOK_KEY=hunter2"), want: []string{"CAREBELL_WEBHOOK_KEY"}, wantNot: "hunter2"},
		{name: "an address without a port", settings: setting("CAREBELL_ADDR=127.0.0.1"), want: []string{"CAREBELL_ADDR", "127.0.0.1:8080"}},
		{name: "an address that is a port", settings: setting("CAREBELL_ADDR=8080"), want: []string{"CAREBELL_ADDR", "127.0.0.1:8080"}},
		{name: "an address with an empty port", settings: setting("CAREBELL_ADDR=127.0.0.1:"), want: []string{"CAREBELL_ADDR"}},
		{name: "a port that is none", settings: setting("CAREBELL_ADDR=127.0.0.1:99999"), want: []string{"CAREBELL_ADDR", "port"}},
		{name: "a port that is a word", settings: setting("CAREBELL_ADDR=127.0.0.1:eighty"), want: []string{"CAREBELL_ADDR", "port"}},
		{name: "an address given as a flag", args: []string{"serve", "--addr", "nowhere"}, settings: setting(), want: []string{"CAREBELL_ADDR"}},
		{name: "an address of another computer", settings: setting("CAREBELL_ADDR=203.0.113.1:0", "CAREBELL_PUBLIC_URL=https://carebell.example.org"), want: []string{"cannot listen", "CAREBELL_ADDR"}},
		{name: "a port in use", settings: setting("CAREBELL_ADDR=" + busy.Addr().String()), want: []string{"in use", "CAREBELL_ADDR"}},
		{name: "an address for webhooks without a port", settings: setting(addr, "CAREBELL_WEBHOOK_ADDR=127.0.0.1"), want: []string{"CAREBELL_WEBHOOK_ADDR", "127.0.0.1:8080"}},
		{name: "an address for webhooks in use", settings: setting(addr, "CAREBELL_WEBHOOK_ADDR="+busy.Addr().String()), want: []string{"in use", "CAREBELL_WEBHOOK_ADDR"}},
		{name: "every address for webhooks without encryption", settings: setting(addr, "CAREBELL_WEBHOOK_ADDR=:0"), want: []string{"CAREBELL_WEBHOOK_ADDR", "CAREBELL_TLS_CERT", "CAREBELL_PUBLIC_URL"}},
		{name: "every address without encryption", settings: setting("CAREBELL_ADDR=0.0.0.0:0"), want: []string{"CAREBELL_TLS_CERT", "CAREBELL_PUBLIC_URL"}},
		{name: "every address, written short", settings: setting("CAREBELL_ADDR=:0"), want: []string{"CAREBELL_TLS_CERT", "CAREBELL_PUBLIC_URL"}},
		{name: "every address of IPv6", settings: setting("CAREBELL_ADDR=[::]:0"), want: []string{"CAREBELL_TLS_CERT", "CAREBELL_PUBLIC_URL"}},
		{name: "every address behind a public URL in clear", settings: setting("CAREBELL_ADDR=0.0.0.0:0", "CAREBELL_PUBLIC_URL=http://carebell.example.org"), want: []string{"CAREBELL_TLS_CERT", "CAREBELL_PUBLIC_URL"}},
		{name: "a certificate without a key", settings: setting(addr, "CAREBELL_TLS_CERT="+file), want: []string{"CAREBELL_TLS_CERT", "CAREBELL_TLS_KEY"}},
		{name: "a key without a certificate", settings: setting(addr, "CAREBELL_TLS_KEY="+file), want: []string{"CAREBELL_TLS_CERT", "CAREBELL_TLS_KEY"}},
		{name: "a certificate that is missing", settings: setting(addr, "CAREBELL_TLS_CERT="+missing, "CAREBELL_TLS_KEY="+missing), want: []string{"CAREBELL_TLS_CERT"}},
		{name: "a certificate that is none", settings: setting(addr, "CAREBELL_TLS_CERT="+file, "CAREBELL_TLS_KEY="+file), want: []string{"CAREBELL_TLS_CERT"}},
		{name: "a time zone that is none", settings: setting(addr, "CAREBELL_TIMEZONE=Mars/Olympus"), want: []string{"CAREBELL_TIMEZONE", "America/Chicago"}},
		{name: "a time zone that is a path", settings: setting(addr, "CAREBELL_TIMEZONE=../../etc/passwd"), want: []string{"CAREBELL_TIMEZONE"}},
		{name: "a public URL without a scheme", settings: setting(addr, "CAREBELL_PUBLIC_URL=carebell.example.org"), want: []string{"CAREBELL_PUBLIC_URL", "https://"}},
		{name: "a public URL of another scheme", settings: setting(addr, "CAREBELL_PUBLIC_URL=ftp://carebell.example.org"), want: []string{"CAREBELL_PUBLIC_URL"}},
		{name: "a public URL with a path", settings: setting(addr, "CAREBELL_PUBLIC_URL=https://carebell.example.org/bell"), want: []string{"CAREBELL_PUBLIC_URL"}},
		{name: "a public URL with a query", settings: setting(addr, "CAREBELL_PUBLIC_URL=https://carebell.example.org?a=b"), want: []string{"CAREBELL_PUBLIC_URL"}},
		{name: "a public URL with a login", settings: setting(addr, "CAREBELL_PUBLIC_URL=https://u:p@carebell.example.org"), want: []string{"CAREBELL_PUBLIC_URL"}},
		{name: "a proxy that is a name", settings: setting(addr, "CAREBELL_TRUSTED_PROXIES=10.0.0.5,proxy.local"), want: []string{"CAREBELL_TRUSTED_PROXIES", "proxy.local"}},
		{name: "a proxy that is no address", settings: setting(addr, "CAREBELL_TRUSTED_PROXIES=10.0.0.300"), want: []string{"CAREBELL_TRUSTED_PROXIES"}},
		{name: "a range of proxies that is none", settings: setting(addr, "CAREBELL_TRUSTED_PROXIES=10.0.0.0/64"), want: []string{"CAREBELL_TRUSTED_PROXIES"}},
		{name: "an API without a scheme", settings: setting(addr, "CAREBELL_METRIPORT_API_URL=api.metriport.com"), want: []string{"CAREBELL_METRIPORT_API_URL", "https://api.metriport.com"}},
		{name: "an API with a path", settings: setting(addr, "CAREBELL_METRIPORT_API_URL=https://api.metriport.com/medical/v1"), want: []string{"CAREBELL_METRIPORT_API_URL", "https://"}},
		{name: "an API with a login", settings: setting(addr, "CAREBELL_METRIPORT_API_URL=https://u:hunter2@api.metriport.com"), want: []string{"CAREBELL_METRIPORT_API_URL"}, wantNot: "hunter2"},
		{name: "an API in clear", settings: setting(addr, "CAREBELL_METRIPORT_API_URL=http://api.metriport.com"), want: []string{"CAREBELL_METRIPORT_API_URL", "in clear"}},
		{name: "an API with a port that is none", settings: setting(addr, "CAREBELL_METRIPORT_API_URL=https://api.metriport.com:0"), want: []string{"CAREBELL_METRIPORT_API_URL", "port"}},
		{name: "a key's expiry that is no time", settings: setting(addr, "CAREBELL_WEBHOOK_KEYS=good,hunter2@tomorrow"), want: []string{"key 2", "CAREBELL_WEBHOOK_KEYS", "T00:00:00Z"}, wantNot: "hunter2"},
		{name: "a key that is empty", settings: setting(addr, "CAREBELL_WEBHOOK_KEYS=@2030-01-01T00:00:00Z"), want: []string{"key 1", "CAREBELL_WEBHOOK_KEYS"}},
		{name: "a data folder that is a file", settings: data(file), want: []string{"CAREBELL_DATA"}},
		{name: "a data folder below a file", settings: data(filepath.Join(file, "data")), want: []string{"CAREBELL_DATA"}},
		{name: "a data folder where none can be made", settings: data("/proc/carebell"), want: []string{"CAREBELL_DATA"}},
		{name: "a database that is none", settings: data(noDatabase), want: []string{"database"}},
		{name: "a folder that another server has", settings: data(served), want: []string{"already serving", "stop it"}},
		{name: "a folder of a newer version", settings: data(newer), want: []string{"newer carebell", "install"}},
		{name: "a folder of a newer version, for user add", args: []string{"user", "add", "--email", "a@b.example", "--role", "admin"}, stdin: password + "\n", settings: data(newer), want: []string{"newer carebell"}},
		{name: "a folder of a newer version, for inbox", args: []string{"inbox", "--json"}, settings: data(newer), want: []string{"newer carebell"}},
		{name: "a folder of a newer version, for rebuild", args: []string{"rebuild"}, settings: data(newer), want: []string{"newer carebell"}},
		{name: "a folder of a newer version, for verify", args: []string{"verify"}, settings: data(newer), want: []string{"newer carebell"}},
		{name: "rebuild beside a server", args: []string{"rebuild"}, settings: data(served), want: []string{"server is running", "stop it"}},
		{name: "inbox of no folder", args: []string{"inbox"}, settings: data(missing), want: []string{"no data folder", "CAREBELL_DATA"}},
		{name: "verify of no folder", args: []string{"verify"}, settings: data(missing), want: []string{"no data folder", "CAREBELL_DATA"}},
		{name: "rebuild of no folder", args: []string{"rebuild"}, settings: data(missing), want: []string{"no data folder", "CAREBELL_DATA"}},
		{name: "a command that is none", args: []string{"server"}, want: []string{`"server"`, "carebell help"}},
		{name: "a flag that is none", args: []string{"serve", "--adr", "x"}, settings: setting(), want: []string{"-adr", "--help"}},
		{name: "a word too many", args: []string{"serve", "now"}, settings: setting(), want: []string{`"now"`}},
		{name: "a status that is none", args: []string{"inbox", "--status", "lost"}, settings: data(served), want: []string{`"lost"`, "malformed"}},
		{name: "a number that is none", args: []string{"inbox", "--after", "x"}, settings: data(served), want: []string{"after"}},
		{name: "user without add", args: []string{"user"}, settings: data(served), want: []string{"carebell user add"}},
		{name: "user add for nobody", args: []string{"user", "add"}, settings: data(served), want: []string{"--email"}},
		{name: "a role that is none", args: []string{"user", "add", "--email", "a@b.example", "--role", "boss"}, stdin: password, settings: data(served), want: []string{`"boss"`, "coordinator"}},
		{name: "an email that is none", args: []string{"user", "add", "--email", "ab", "--role", "admin"}, stdin: password, settings: data(served), want: []string{`"ab"`}},
		{name: "a short password", args: []string{"user", "add", "--email", "a@b.example", "--role", "admin"}, stdin: "Secr3t!\n", settings: data(served), want: []string{"15"}, wantNot: "Secr3t"},
		{name: "no password", args: []string{"user", "add", "--email", "a@b.example", "--role", "admin"}, settings: data(served), want: []string{"password"}},
		{name: "send of nothing", args: []string{"send"}, want: []string{"patient.admit"}},
		{name: "send of what is neither", args: []string{"send", "patient.teleported"}, settings: []string{"CAREBELL_WEBHOOK_KEYS=k"}, want: []string{"patient.teleported", "patient.admit"}},
		{name: "send without a key", args: []string{"send", "ping"}, want: []string{"--key", "CAREBELL_WEBHOOK_KEYS"}},
		{name: "send to nobody", args: []string{"send", "ping", "--key", "hunter2", "--url", "http://127.0.0.1:1/"}, want: []string{"carebell serve"}, wantNot: "hunter2"},
		{name: "a speed that is none", args: []string{"demo", "--speed", "0"}, want: []string{"--speed"}},
		{name: "a port for the demo that is none", args: []string{"demo", "--port", "70000"}, want: []string{"--port"}},
		{name: "a port for the demo that is in use", args: []string{"demo", "--port", busy.Addr().String()[strings.LastIndex(busy.Addr().String(), ":")+1:]}, want: []string{"in use"}},
		{name: "bench of nothing", args: []string{"bench"}, want: []string{"carebell bench ingest", "carebell bench archive"}},
		{name: "bench of no documents", args: []string{"bench", "archive", "--documents", "0"}, want: []string{"--documents"}},
		{name: "an outage that outlives the links", args: []string{"bench", "archive", "--outage", "1m", "--life", "1m"}, want: []string{"--outage", "--life"}},
	} {
		t.Run(r.name, func(t *testing.T) {
			if r.args == nil {
				r.args = serving
			}
			got := carebell(t, r.settings, r.stdin, r.args...)
			if got.code != 1 {
				t.Errorf("ended with %d, want 1", got.code)
			}
			if !strings.HasPrefix(got.log, "carebell: ") || strings.Count(got.log, "\n") != 1 || !strings.HasSuffix(got.log, "\n") {
				t.Errorf("said more or less than one sentence:\n%s", got.log)
			}
			for _, w := range r.want {
				if !strings.Contains(got.log, w) {
					t.Errorf("said %q, without %q", got.log, w)
				}
			}
			if got.out != "" {
				t.Errorf("printed %q", got.out)
			}
			if r.wantNot != "" && strings.Contains(got.log, r.wantNot) {
				t.Errorf("told a secret: %s", got.log)
			}
			if _, err := os.Stat(missing); err == nil {
				t.Error("made the folder that it was to look into")
			}
		})
	}
}

// newerFolder is a data folder as a later version would leave it.
func newerFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	must(t, []string{"CAREBELL_DATA=" + dir}, password+"\n", "user", "add", "--email", "a@clinic.example", "--role", "admin")
	d, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "carebell.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	if _, err := d.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)"); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestSettingsOfLaterVersionsAreAcceptedAndSaid: the surface is stable, and nothing is silently without effect.
func TestSettingsOfLaterVersionsAreAcceptedAndSaid(t *testing.T) {
	p := serve(t, t.TempDir(), "CAREBELL_METRICS_ADDR=127.0.0.1:9000", "CAREBELL_OIDC_CLIENT_SECRET=hunter2", "CAREBELL_OIDC_ISSUER=https://login.example.org")
	if code := p.end(t, terminate); code != 0 {
		t.Errorf("ended with %d", code)
	}
	for _, name := range []string{"CAREBELL_METRICS_ADDR", "CAREBELL_OIDC_CLIENT_SECRET", "CAREBELL_OIDC_ISSUER"} {
		if strings.Count(p.logged(), name) != 1 {
			t.Errorf("the log does not say once that %s is not used: %s", name, p.logged())
		}
	}
	if strings.Contains(p.logged()+p.said(), "hunter2") || strings.Contains(p.logged()+p.said(), key) {
		t.Error("told a secret")
	}
}

// TestHelpNamesEverything: commands and settings, with exit code 0.
func TestHelpNamesEverything(t *testing.T) {
	out := must(t, nil, "", "help")
	for _, w := range []string{"serve", "demo", "user add", "inbox", "send", "rebuild", "verify", "bench", "version",
		"CAREBELL_ADDR", "CAREBELL_DATA", "CAREBELL_WEBHOOK_KEYS", "CAREBELL_TIMEZONE", "CAREBELL_PUBLIC_URL", "CAREBELL_TRUSTED_PROXIES", "CAREBELL_TLS_CERT", "CAREBELL_TLS_KEY"} {
		if !strings.Contains(out, w) {
			t.Errorf("help does not name %s", w)
		}
	}
	if must(t, nil, "") != out || must(t, nil, "", "--help") != out {
		t.Error("help depends on how it is asked for")
	}
	for _, command := range []string{"serve", "demo", "inbox", "send", "rebuild", "verify", "version"} {
		if out := must(t, nil, "", command, "--help"); !strings.Contains(out, "-data") {
			t.Errorf("%s --help does not list its flags: %s", command, out)
		}
	}
	if out := must(t, nil, "", "version"); !strings.HasPrefix(out, "carebell ") || strings.Count(out, "\n") != 1 {
		t.Errorf("version prints %q", out)
	}
}
