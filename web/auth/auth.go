// Package auth knows who is who: people, passwords, sessions and roles. It knows nothing of pages.
package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/alexedwards/argon2id"

	"carebell/db"
)

// Usual lengths of a login.
const (
	DefaultIdle     = 15 * time.Minute // without the person doing anything; live updates are not doing
	DefaultAbsolute = 12 * time.Hour
)

// Errors that are said to a person.
var (
	ErrWrongLogin = errors.New("that email and password do not fit together")
	ErrNoSession  = errors.New("you are signed out")
	ErrSetupUsed  = errors.New("this set-up link has been used or replaced by a newer one")
)

// WaitError says that an account had too many wrong passwords and may be tried again later.
type WaitError struct{ For time.Duration }

func (e WaitError) Error() string {
	return fmt.Sprintf("too many wrong passwords: try again in %s", e.For.Round(time.Second))
}

// Service answers who is who. It is safe for concurrent use.
type Service struct {
	db       *db.DB
	now      func() time.Time
	idle     time.Duration
	absolute time.Duration

	hashing chan struct{} // bounds the memory that password hashes take at the same time
	dummy   string        // compared against for unknown people, so that they take as long as known ones
	tries   throttle
	ended   func(SessionID)
}

// Options change the usual lengths of a login; zero means the usual.
type Options struct {
	Idle     time.Duration
	Absolute time.Duration
	Ended    func(SessionID) // called when a login ends before its time
}

// parameters are OWASP's for argon2id.
var parameters = &argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// New makes the service.
func New(d *db.DB, now func() time.Time, o Options) (*Service, error) {
	dummy, err := argon2id.CreateHash(rand.Text(), parameters)
	if err != nil {
		return nil, err
	}
	s := &Service{
		db: d, now: now, idle: o.Idle, absolute: o.Absolute,
		hashing: make(chan struct{}, 2), dummy: dummy, ended: o.Ended,
	}
	if s.idle == 0 {
		s.idle = DefaultIdle
	}
	if s.absolute == 0 {
		s.absolute = DefaultAbsolute
	}
	if s.ended == nil {
		s.ended = func(SessionID) {}
	}
	return s, nil
}

// AddUser adds a person who can log in. Errors are sentences for the one who asked.
func (s *Service) AddUser(ctx context.Context, email string, role db.Role, password string) error {
	email, hash, err := s.credentials(email, password)
	if err != nil {
		return err
	}
	if !slices.Contains(db.Roles, role) {
		return fmt.Errorf("there is no role %q: choose admin, coordinator or viewer", role)
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.AddUser(ctx, email, role, hash)
		return err
	})
}

func (s *Service) credentials(email, password string) (address, hash string, err error) {
	a, err := mail.ParseAddress(strings.TrimSpace(email))
	if err != nil || a.Name != "" || len(a.Address) > maxEmail {
		return "", "", fmt.Errorf("%q is not an email address", email)
	}
	if err := CheckPassword(password, a.Address); err != nil {
		return "", "", err
	}
	s.hashing <- struct{}{}
	defer func() { <-s.hashing }()
	hash, err = argon2id.CreateHash(password, parameters)
	return a.Address, hash, err
}

// maxEmail is the longest email there can be, in bytes (RFC 5321).
const maxEmail = 254

// SessionID is the hash of a login's secret: it names the login and opens nothing.
type SessionID [sha256.Size]byte

// Login checks a password and begins a login. The token goes into the cookie and nowhere else. Unknown and disabled
// people get the same answer after the same time as a wrong password.
func (s *Service) Login(ctx context.Context, email, password string) (token string, err error) {
	if email = strings.TrimSpace(email); len(email) > maxEmail {
		email = email[:maxEmail] // nobody has such a one; it takes as long as any other
	}
	if wait := s.tries.try(email, s.now()); wait > 0 {
		return "", WaitError{For: wait}
	}
	var u db.User
	err = s.db.Read(ctx, func(v db.Snapshot) error {
		u, err = v.UserByEmail(ctx, email)
		return err
	})
	known := err == nil && !u.Disabled
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", err
	}
	hash := s.dummy
	if known {
		hash = u.Password
	}
	if len(password) > maxPassword {
		password = password[:maxPassword+1]
	}
	select {
	case s.hashing <- struct{}{}:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	fits, err := argon2id.ComparePasswordAndHash(password, hash)
	<-s.hashing
	if err != nil {
		return "", err
	}
	if !fits || !known {
		return "", ErrWrongLogin
	}
	s.tries.forget(email)
	return s.begin(ctx, u.ID)
}

func (s *Service) begin(ctx context.Context, userID int64) (token string, err error) {
	token = newToken()
	id := idOf(token)
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if err := tx.PruneSessions(ctx, s.now().Add(-s.absolute), s.now().Add(-s.idle)); err != nil {
			return err
		}
		return tx.AddSession(ctx, id[:], userID)
	})
	return token, err
}

// Session is a running login and its name.
type Session struct {
	db.Session
	ID SessionID
}

// May says whether the person has one of the roles.
func (s Session) May(roles ...db.Role) bool { return slices.Contains(roles, s.User.Role) }

// Session returns the login that token belongs to, or [ErrNoSession].
func (s *Service) Session(ctx context.Context, token string) (Session, error) {
	if token == "" {
		return Session{}, ErrNoSession
	}
	return s.SessionByID(ctx, idOf(token))
}

// SessionByID returns a running login by its name, or [ErrNoSession]. It does not count as the person doing something.
func (s *Service) SessionByID(ctx context.Context, id SessionID) (Session, error) {
	x := Session{ID: id}
	err := s.db.Read(ctx, func(v db.Snapshot) (err error) {
		x.Session, err = v.Session(ctx, id[:])
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return Session{}, ErrNoSession
	}
	if err == nil && s.over(x.Session) {
		return Session{}, ErrNoSession
	}
	return x, err
}

// touchEvery is how exactly the last activity is known: not every click writes to the disk.
const touchEvery = 30 * time.Second

// Touch says that the person has just done something.
func (s *Service) Touch(ctx context.Context, x Session) error {
	if s.now().Sub(x.ActiveAt) < touchEvery {
		return nil
	}
	return s.db.Write(ctx, func(tx *db.Tx) error { return tx.TouchSession(ctx, x.ID[:]) })
}

// Logout ends a login at once, open sockets too.
func (s *Service) Logout(ctx context.Context, id SessionID) error {
	err := s.db.Write(ctx, func(tx *db.Tx) error { return tx.EndSession(ctx, id[:]) })
	s.ended(id)
	return err
}

const setupSetting = "setup link"

// SetupToken makes a new one-time token for the first admin, and makes any older one useless. It returns "" when
// somebody can log in already.
func (s *Service) SetupToken(ctx context.Context) (string, error) {
	token := newToken()
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		has, err := tx.HasUsers(ctx)
		if err != nil {
			return err
		}
		if has {
			token = ""
			return tx.SetSetting(ctx, setupSetting, "")
		}
		return tx.SetSetting(ctx, setupSetting, hashText(token))
	})
	return token, err
}

// SetupOpen says whether token may make the first admin.
func (s *Service) SetupOpen(ctx context.Context, token string) (bool, error) {
	var want string
	var has bool
	err := s.db.Read(ctx, func(v db.Snapshot) (err error) {
		if want, err = v.Setting(ctx, setupSetting); err != nil {
			return err
		}
		has, err = v.HasUsers(ctx)
		return err
	})
	return err == nil && !has && fitsSetup(want, token), err
}

func fitsSetup(want, token string) bool {
	return want != "" && subtle.ConstantTimeCompare([]byte(want), []byte(hashText(token))) == 1
}

// Setup makes the first admin with a one-time token, uses it up, and logs the admin in.
func (s *Service) Setup(ctx context.Context, token, email, password string) (session string, err error) {
	if open, err := s.SetupOpen(ctx, token); err != nil || !open {
		return "", errors.Join(ErrSetupUsed, err)
	}
	email, hash, err := s.credentials(email, password)
	if err != nil {
		return "", err
	}
	var id int64
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		want, err := tx.Setting(ctx, setupSetting)
		if err != nil {
			return err
		}
		has, err := tx.HasUsers(ctx)
		if err != nil {
			return err
		}
		if has || !fitsSetup(want, token) {
			return ErrSetupUsed
		}
		if id, err = tx.AddUser(ctx, email, db.Admin, hash); err != nil {
			return err
		}
		return tx.SetSetting(ctx, setupSetting, "")
	})
	if err != nil {
		return "", err
	}
	return s.begin(ctx, id)
}

// newToken makes a secret of 256 random bits.
func newToken() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func idOf(token string) SessionID { return sha256.Sum256([]byte(token)) }

func hashText(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
