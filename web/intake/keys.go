// Package intake receives the webhooks: limits, signature, envelope, commit, answer. Nothing else is read before the
// commit, and nothing of a refused request is kept.
package intake

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"carebell/web/metriport"
)

// Key is one webhook key that signatures may be made with. During a rotation there are two.
type Key struct {
	Value   string
	Expires time.Time // zero = never
}

// ID is the key's fingerprint: enough to tell which key signed, nothing to sign with.
func (k Key) ID() string {
	sum := sha256.Sum256([]byte("carebell webhook key\x00" + k.Value))
	return hex.EncodeToString(sum[:4])
}

// signedBy returns the fingerprint of the key that made signature, "" where none did. It tries every key in force, so
// that the time it takes does not tell which one fitted.
func signedBy(keys []Key, now time.Time, body []byte, signature string) string {
	found := ""
	for _, k := range keys {
		if !k.Expires.IsZero() && !now.Before(k.Expires) {
			continue
		}
		if metriport.Verify(k.Value, body, signature) {
			found = k.ID()
		}
	}
	return found
}
