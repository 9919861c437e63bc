package metriport_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"carebell/web/metriport"
)

// vectors are those of RFC 4231, sections 4.2 to 4.8 (without 4.6, which cuts its value short).
var vectors = []struct{ key, body, mac string }{
	{strings.Repeat("\x0b", 20), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
	{"Jefe", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
	{strings.Repeat("\xaa", 20), strings.Repeat("\xdd", 50), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
	{"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19", strings.Repeat("\xcd", 50), "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
	{strings.Repeat("\xaa", 131), "Test Using Larger Than Block-Size Key - Hash Key First", "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
	{strings.Repeat("\xaa", 131), "This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.", "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
}

func TestSignatureIsHMACSHA256(t *testing.T) {
	for _, v := range vectors {
		if got := metriport.Sign(v.key, []byte(v.body)); got != v.mac {
			t.Errorf("Sign(%q, %q) = %s, want %s", v.key, v.body, got, v.mac)
		}
		if !metriport.Verify(v.key, []byte(v.body), v.mac) {
			t.Errorf("the signature of %q is not right", v.body)
		}
		for _, wrong := range []string{"", v.mac[:63], v.mac + "0", strings.ToUpper(v.mac), " " + v.mac, v.mac + "\n", "sha256=" + v.mac, strings.Repeat("0", 64), v.mac[1:] + v.mac[:1]} {
			if metriport.Verify(v.key, []byte(v.body), wrong) {
				t.Errorf("%q is a right signature of %q", wrong, v.body)
			}
		}
	}
}

func FuzzVerify(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.key, []byte(v.body), v.mac)
	}
	f.Add("", []byte{}, "")
	f.Fuzz(func(t *testing.T, key string, body []byte, signature string) {
		h := hmac.New(sha256.New, []byte(key))
		h.Write(body)
		right := hex.EncodeToString(h.Sum(nil))
		if got := metriport.Verify(key, body, signature); got != (signature == right) {
			t.Fatalf("Verify says %t of %q, the signature is %q", got, signature, right)
		}
		if !metriport.Verify(key, body, metriport.Sign(key, body)) {
			t.Fatal("what was signed does not verify")
		}
		if metriport.Verify(key, append(bytes.Clone(body), 0), right) || metriport.Verify(key+"x", body, right) {
			t.Fatal("another body or key verifies")
		}
	})
}
