package sim

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// seeded returns a generator of its own for one purpose, so that drawing from one never shifts another.
func seeded(seed, purpose uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, purpose)) }

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// oneIn is true once in n times.
func oneIn(r *rand.Rand, n int) bool { return r.IntN(n) == 0 }

// between draws a duration from lo up to hi.
func between(r *rand.Rand, lo, hi time.Duration) time.Duration {
	if hi <= lo {
		return lo
	}
	return lo + time.Duration(r.Int64N(int64(hi-lo)))
}

func uuid4(r *rand.Rand) string {
	b := random16(r)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return hyphenated(b)
}

// uuid7 is the form of the sender's message ids: 48 bits of milliseconds, then chance.
func uuid7(r *rand.Rand, at time.Time) string {
	b := random16(r)
	ms := uint64(max(at.UnixMilli(), 0))
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i))
	}
	b[6], b[8] = b[6]&0x0f|0x70, b[8]&0x3f|0x80
	return hyphenated(b)
}

// derived is an id that follows from words, for what must have the same id in every message that names it.
func derived(words ...string) string {
	sum := sha256.Sum256([]byte("carebell sim\x00" + strings.Join(words, "\x00")))
	b := [16]byte(sum[:16])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return hyphenated(b)
}

func hexWord(r *rand.Rand) string {
	b := random16(r)
	return hex.EncodeToString(b[:])
}

func random16(r *rand.Rand) (b [16]byte) {
	for i := 0; i < 16; i += 8 {
		n := r.Uint64()
		for j := range 8 {
			b[i+j] = byte(n >> (8 * j))
		}
	}
	return b
}

func hyphenated(b [16]byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
