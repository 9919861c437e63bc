package views

import "strings"

// Problem is an error as a person reads it.
type Problem struct {
	Title string
	Text  string // what happened, what is safe, what to do
	ID    string // ties it to the log; "" where there is nothing more to know
}

// SignIn is the sign-in page.
type SignIn struct {
	Email   string // of the last try
	Next    string // where it leads
	Why     string // why one has to sign in again; "" = one has not been signed in
	Problem string // what was wrong with the last try
}

// Connection is the content of the connection page.
type Connection struct {
	Frame
	WebhookURL string
	Local      bool     // the URL works on this computer only
	Keys       []string // fingerprints of the keys in force
	Refused    int64    // requests refused since the start for their signature
	LastPing   Time
}

func (c Connection) keys() string {
	if len(c.Keys) == 1 {
		return "one key, fingerprint " + c.Keys[0]
	}
	return "the keys with the fingerprints " + strings.Join(c.Keys, " and ")
}
