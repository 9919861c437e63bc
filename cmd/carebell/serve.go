package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"carebell/db"
	"carebell/web"
)

func serve(ctx context.Context, s *settings, args []string, t terminal) error {
	if _, err := parse(s.flags("serve"), args, 0, t); err != nil {
		return err
	}
	cfg, err := s.config(t)
	if err != nil {
		return err
	}
	for _, name := range s.unused {
		cfg.Log.Warn("this version does not use the setting yet", "setting", name)
	}
	return withServer(ctx, cfg, func(srv *web.Server, _ *db.DB) error {
		token, err := srv.Auth().SetupToken(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(t.out, "Carebell is at %s\n", srv.URL())
		if at := srv.WebhookAddr(); at != "" {
			fmt.Fprintf(t.out, "Webhooks have an address of their own: %s\n", at)
		}
		if token != "" {
			fmt.Fprintf(t.out, "Nobody can log in yet. Open this link once to make the first admin:\n  %s/setup?token=%s\n", srv.URL(), token)
		}
		if len(cfg.Keys) == 0 {
			fmt.Fprintln(t.out, "No webhook key is set, so every webhook is refused until CAREBELL_WEBHOOK_KEYS is set.")
		}
		return srv.Run(ctx)
	})
}

// withServer opens the data folder, makes a server that listens, hands it to f, and closes everything in order.
func withServer(ctx context.Context, cfg web.Config, f func(srv *web.Server, d *db.DB) error) (err error) {
	d, err := db.Open(ctx, cfg.DataDir, db.Options{Now: cfg.Now, Serve: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	srv, err := web.New(ctx, cfg, d)
	if err != nil {
		return err
	}
	if err := srv.Listen(ctx); err != nil {
		return err
	}
	return f(srv, d)
}

func version(_ context.Context, s *settings, args []string, t terminal) error {
	if _, err := parse(s.flags("version"), args, 0, t); err != nil {
		return err
	}
	word, revision := "development build", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		if v := info.Main.Version; v != "" && v != "(devel)" {
			word = v
		}
		for _, set := range info.Settings {
			if set.Key == "vcs.revision" {
				revision = " (" + set.Value[:min(12, len(set.Value))] + ")"
			}
		}
	}
	_, err := fmt.Fprintf(t.out, "carebell %s%s\n", word, revision)
	return err
}
