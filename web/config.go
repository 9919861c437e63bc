// Package web is the Fiber app: one table of routes, one file a page, and the life of the server around it.
package web

import (
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"carebell/views"
	"carebell/web/intake"
)

// Config is what a server needs to know. The command line makes it from flags and environment.
type Config struct {
	Addr           string // host:port to listen on
	WebhookAddr    string // host:port to listen on for webhooks alone, with places of their own; "" = none
	Keys           []intake.Key
	Zone           *time.Location // of the practice
	PublicURL      *url.URL       // how browsers and the sender reach this server; nil = by Addr
	TrustedProxies []string       // addresses or ranges whose X-Forwarded-* are believed
	TLSCert        string         // file; "" = plain HTTP
	TLSKey         string         // file
	Now            func() time.Time
	Log            *slog.Logger
	IdleLogout     time.Duration // 0 = the usual
	Group          int           // most deliveries of one commit; 0 = the usual
	DataDir        string        // where downloads are kept
	DataKey        string        // they are encrypted with; "" = the key file in DataDir
	DownloadHosts  []string      // host:port that links may lead to beside the sender's own
	APIKey         string        // of the sender's API, for fresh links and the proof of completeness; "" = none
	APIURL         *url.URL      // of the sender's API; nil = none, so no proof of completeness
	KeepFiles      time.Duration // how long downloads are kept; 0 = for ever

	Settings []views.SettingRow // as they are shown to admins, secrets masked
}

// secure says whether browsers reach the server over TLS.
func (c Config) secure() bool {
	return c.TLSCert != "" || c.PublicURL != nil && c.PublicURL.Scheme == "https"
}

// Loopback says whether addr (host:port) can be reached from this computer only.
func Loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
