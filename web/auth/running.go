package auth

import (
	"context"

	"carebell/db"
)

// Running returns the role of every login that is running, read at once.
func (s *Service) Running(ctx context.Context) (map[SessionID]db.Role, error) {
	var list []db.Login
	err := s.db.Read(ctx, func(v db.Snapshot) (err error) {
		list, err = v.Logins(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := make(map[SessionID]db.Role, len(list))
	for _, l := range list {
		if len(l.IDHash) == len(SessionID{}) && !s.over(l.Session) {
			out[SessionID(l.IDHash)] = l.User.Role
		}
	}
	return out, nil
}

// over says whether a login has ended by time.
func (s *Service) over(x db.Session) bool {
	now := s.now()
	return now.Sub(x.CreatedAt) >= s.absolute || now.Sub(x.ActiveAt) >= s.idle
}
