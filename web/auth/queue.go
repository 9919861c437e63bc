package auth

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// How many passwords are hashed at the same time, which bounds the memory that it takes, and how many strangers' wait.
const (
	hashers     = 2
	mostWaiting = 64
)

// ErrBusy says that too many people wait to sign in.
var ErrBusy = errors.New("too many people are signing in at the moment: try again in a moment")

// queue gives places to those who have a password hashed. Whoever is known goes ahead of all who are not.
type queue struct {
	mu     sync.Mutex
	taken  int
	known  []chan struct{} // closed when it gets the place
	others []chan struct{}
}

// enter waits for a place. It returns [ErrBusy] where too many wait, or the error of ctx.
func (q *queue) enter(ctx context.Context, known bool) error {
	q.mu.Lock()
	if q.taken < hashers {
		q.taken++
		q.mu.Unlock()
		return nil
	}
	line := &q.others
	if known {
		line = &q.known
	}
	if len(*line) >= mostWaiting {
		q.mu.Unlock()
		return ErrBusy
	}
	turn := make(chan struct{})
	*line = append(*line, turn)
	q.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	q.mu.Lock()
	at := slices.Index(*line, turn)
	if at >= 0 {
		*line = slices.Delete(*line, at, at+1)
	}
	q.mu.Unlock()
	if at < 0 { // the place came at the same time
		q.leave()
	}
	return ctx.Err()
}

// leave gives the place to the next.
func (q *queue) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, line := range []*[]chan struct{}{&q.known, &q.others} {
		if len(*line) > 0 {
			close((*line)[0])
			*line = slices.Delete(*line, 0, 1)
			return
		}
	}
	q.taken--
}
