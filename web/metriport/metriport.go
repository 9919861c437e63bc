// Package metriport holds the words of the sender: its event types as Go structs, its envelope, its signature, and the
// client of its API. It does no I/O but that client's calls, and knows nothing of how Carebell keeps or shows what it reads.
package metriport

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
)

// SignatureHeader carries the lower-case hex HMAC-SHA256 of the raw body.
const SignatureHeader = "x-metriport-signature"

// UserAgent is what the sender calls itself.
const UserAgent = "Metriport API"

// Sign returns the value of [SignatureHeader] for body: lower-case hex HMAC-SHA256 with the webhook key.
func Sign(key string, body []byte) string {
	return hex.EncodeToString(mac(key, body))
}

// Verify says whether signature is the one of body under key. The comparison takes the same time wherever the two
// differ. A signature that is not 64 lower-case hex digits is never right.
func Verify(key string, body []byte, signature string) bool {
	return hmac.Equal([]byte(Sign(key, body)), []byte(signature))
}

// IsSignature says whether a signature has the form of one: 64 lower-case hexadecimal digits.
func IsSignature(signature string) bool {
	if len(signature) != hex.EncodedLen(sha256.Size) {
		return false
	}
	for _, c := range []byte(signature) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func mac(key string, body []byte) []byte {
	h := hmac.New(sha256.New, []byte(key))
	h.Write(body)
	return h.Sum(nil)
}
