package bodies

import (
	"slices"
	"sync"
	"time"
)

// How much memory of refused bodies is held for the next ones, and for how long after the last was refused.
const (
	mostSpare = 64 << 20
	spareFor  = 10 * time.Second
)

// spare has the memory of large bodies that were refused: the next one gets it, so that a flood of them leaves no garbage.
var spare spares

type spares struct {
	mu    sync.Mutex
	list  [][]byte
	bytes int
	end   *time.Timer
}

// Recycle takes the memory of a body that nobody holds any more, such as one that was refused.
func Recycle(body []byte) {
	if cap(body) < believed {
		return
	}
	s := &spare
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bytes+cap(body) > mostSpare {
		return
	}
	s.list, s.bytes = append(s.list, body[:0]), s.bytes+cap(body)
	if s.end == nil {
		s.end = time.AfterFunc(spareFor, s.drop)
	} else {
		s.end.Reset(spareFor)
	}
}

func (s *spares) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list, s.bytes = nil, 0
}

// memory is an empty slice with room for n bytes.
func memory(n int) []byte {
	if n >= believed {
		if b := spare.take(n); b != nil {
			return b
		}
	}
	return make([]byte, 0, n)
}

// take returns memory for n bytes, of which not much more is there; nil where there is none.
func (s *spares) take(n int) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	best := -1
	for i, b := range s.list {
		if cap(b) >= n && cap(b) <= 2*n && (best < 0 || cap(b) < cap(s.list[best])) {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	b := s.list[best]
	s.list, s.bytes = slices.Delete(s.list, best, best+1), s.bytes-cap(b)
	return b[:0:n]
}
