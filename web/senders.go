package web

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"time"

	"carebell/db"
	"carebell/web/door"
)

// Settings that keep the addresses of senders over a restart: at the one door, and at that of the address for webhooks
// alone.
const (
	settingSenders     = "senders"
	settingHookSenders = "webhook senders"
)

// How often it is looked whether there are others, and how old what is kept may be.
const (
	sendersEvery = 15 * time.Second
	sendersFresh = time.Hour
)

// recallSenders has a door know the senders that were known before the restart, so that they have their places at once.
func (s *Server) recallSenders(ctx context.Context, setting string, d *door.Door) error {
	return s.db.Read(ctx, func(v db.Snapshot) error {
		text, err := v.Setting(ctx, setting)
		if err != nil || text == "" {
			return err
		}
		var known map[netip.Addr]time.Time
		if err := json.Unmarshal([]byte(text), &known); err != nil {
			return fmt.Errorf("reading the addresses of senders: %w", err)
		}
		d.Recall(known)
		s.senders[setting] = known
		return nil
	})
}

// keepSenders writes them down where they change, and once more at the end.
func (s *Server) keepSenders(ctx context.Context) error {
	kept := s.senders
	doors := map[string]*door.Door{settingSenders: s.door}
	if s.hookDoor != nil {
		doors[settingHookSenders] = s.hookDoor
	}
	tick := time.NewTicker(sendersEvery)
	defer tick.Stop()
	for ended := false; !ended; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			ended = true
		}
		for setting, d := range doors {
			now := d.Senders()
			if maps.EqualFunc(now, kept[setting], func(a, b time.Time) bool { return a.Sub(b) < sendersFresh }) {
				continue
			}
			if err := s.saveSenders(ctx, setting, now); err != nil {
				s.cfg.Log.Warn("the addresses of senders could not be written down", "error", err)
				continue
			}
			kept[setting] = now
		}
	}
	return nil
}

func (s *Server) saveSenders(ctx context.Context, setting string, known map[netip.Addr]time.Time) error {
	ctx, cancel := context.WithTimeout(db.Behind(context.WithoutCancel(ctx)), tryWithin)
	defer cancel()
	text, err := json.Marshal(known)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error { return tx.SetSetting(ctx, setting, string(text)) })
}
