package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"carebell/db"
	"carebell/web/auth"
)

func user(ctx context.Context, s *settings, args []string, t terminal) (err error) {
	if len(args) == 0 || args[0] != "add" {
		return errors.New("say what to do: carebell user add --email E --role admin|coordinator|viewer")
	}
	f := s.flags("user add")
	email := f.String("email", "", "the person's email, which is the login")
	role := f.String("role", "", "admin, coordinator or viewer")
	if _, err := parse(f, args[1:], 0, t); err != nil {
		return err
	}
	if *email == "" || *role == "" {
		return errors.New("say who: carebell user add --email E --role admin|coordinator|viewer")
	}
	password, err := readPassword(t)
	if err != nil {
		return err
	}
	dir, err := s.dataFolder(false)
	if err != nil {
		return err
	}
	d, err := db.Open(ctx, dir, db.Options{Now: now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	people, err := auth.New(d, now, auth.Options{})
	if err != nil {
		return err
	}
	if err := people.AddUser(ctx, *email, db.Role(*role), password); err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.out, "%s can log in as %s.\n", *email, *role)
	return err
}

// readPassword reads one line: from a terminal without showing it, else as it comes.
func readPassword(t terminal) (string, error) {
	if in, ok := t.in.(*os.File); ok && term.IsTerminal(int(in.Fd())) {
		fmt.Fprint(t.log, "Password (not shown): ")
		b, err := term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(t.log)
		return string(b), err
	}
	line, err := bufio.NewReader(t.in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("cannot read the password from standard input: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}
