package auth

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"carebell/db"
)

// Ended is why a login is over.
type Ended string

// Reasons for the end of a login.
const (
	EndedIdle     Ended = "idle"
	EndedAbsolute Ended = "long" // it has lasted as long as a login may
	EndedDisabled Ended = "disabled"
	EndedOut      Ended = "out" // signed out, here or elsewhere; or over for so long that nothing is known of it
)

// Why says why the login that token belonged to is over; "" where there was none.
func (s *Service) Why(ctx context.Context, token string) (Ended, error) {
	if token == "" {
		return "", nil
	}
	id := idOf(token)
	seen, over := s.inMemory(id)
	if over {
		return EndedOut, nil
	}
	var x db.Session
	var disabled bool
	err := s.db.Read(ctx, func(v db.Snapshot) (err error) {
		x, disabled, err = v.SessionOfAnyone(ctx, id[:])
		return err
	})
	if seen.After(x.ActiveAt) {
		x.ActiveAt = seen
	}
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return EndedOut, nil
	case err != nil:
		return "", err
	case disabled:
		return EndedDisabled, nil
	case !s.over(x):
		return "", nil
	case x.ActiveAt.Add(s.idle).Before(x.CreatedAt.Add(s.absolute)): // what came first
		return EndedIdle, nil
	default:
		return EndedAbsolute, nil
	}
}

// Idle is how long a login lasts in which nothing is done.
func (s *Service) Idle() time.Duration { return s.idle }

// Absolute is the longest that a login lasts.
func (s *Service) Absolute() time.Duration { return s.absolute }
