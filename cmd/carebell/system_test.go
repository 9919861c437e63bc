package main_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// TestSettingsInForceAreShownWithoutTheirSecrets: each with its value and where it came from, to admins, and no secret
// in the page or in the log.
func TestSettingsInForceAreShownWithoutTheirSecrets(t *testing.T) {
	dir := t.TempDir()
	secrets := []string{"hunter2-webhook", "hunter2-older", "hunter2-api-key", "aHVudGVyMiBpcyBteSBkYXRhIGtleSwgMzIgYnl0ZXM="}
	p := start(t, []string{
		"CAREBELL_DATA=" + dir, "CAREBELL_ADDR=127.0.0.1:0", "CAREBELL_WEBHOOK_KEYS=" + secrets[0] + "," + secrets[1] + "@2030-01-01T00:00:00Z",
		"CAREBELL_METRIPORT_API_KEY=" + secrets[2], "CAREBELL_METRIPORT_API_URL=http://127.0.0.1:1", "CAREBELL_DATA_KEY=" + secrets[3], "CAREBELL_KEEP_FILES=  ",
	}, "Carebell is at ", "serve", "--timezone", "America/Chicago")
	must(t, []string{"CAREBELL_DATA=" + dir}, password+"\n", "user", "add", "--email", "boss@clinic.example", "--role", "admin")
	b := browser()
	if got := login(t, b, p.url, "boss@clinic.example", password); got != http.StatusSeeOther {
		t.Fatalf("logging in: %d", got)
	}
	var pages strings.Builder
	for _, path := range []string{"/admin/system", "/admin/system/completeness", "/setup", "/"} {
		status, page := get(t, b, p.url+path)
		if status != http.StatusOK {
			t.Errorf("%s: %d", path, status)
		}
		pages.WriteString(page)
	}
	for _, s := range secrets {
		if strings.Contains(pages.String(), s) || strings.Contains(p.logged(), s) || strings.Contains(p.said(), s) {
			t.Errorf("%s is told", s)
		}
	}
	for name, want := range map[string]string{
		"CAREBELL_WEBHOOK_KEYS": `set, fingerprint [0-9a-f]{8} and [0-9a-f]{8}</td><td>environment`, "CAREBELL_METRIPORT_API_KEY": `set</td><td>environment`, "CAREBELL_DATA_KEY": `set</td><td>environment`,
		"CAREBELL_METRIPORT_API_URL": `http://127\.0\.0\.1:1</td><td>environment`, "CAREBELL_TIMEZONE": `America/Chicago</td><td>flag`, "CAREBELL_KEEP_FILES": `not set</td><td>default`,
		"CAREBELL_PUBLIC_URL": `not set</td><td>default`,
	} {
		if !regexp.MustCompile(name + `</code></th><td>` + want + `</td>`).MatchString(pages.String()) {
			t.Errorf("the page does not show %s as %s", name, want)
		}
	}
	for _, want := range []string{"no backup command", "CAREBELL_DATA_KEY: without it", dir} {
		if !strings.Contains(pages.String(), want) {
			t.Errorf("the pages do not say %q", want)
		}
	}
	p.end(t, terminate)
}
