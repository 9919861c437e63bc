package chart

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"carebell/db"
	"carebell/web/metriport"
)

// A message that tells again of what an older one told, because its links had died, is not written into the chart: its
// links become those of the older one, whose files then take their places. Two events that look alike are not one for
// that: a repeat is what the sender's answer called one, or what says all that an older message with dead links says and
// is tied to it by more than a day and a patient.

// lateBy is how much later than it was sent a message must come to count as one that was missed at first.
const lateBy = 5 * time.Minute

// repeats is what is known of a batch of messages before it is written.
type repeats struct {
	known   map[int64]int64 // decided: the message that each repeats
	decided int64           // up to this message
	awaited bool            // the sender told of some that have not come
	dead    bool            // some links are dead, or being asked for
	last    int64           // the last message that was written
	sent    time.Time       // when the one that was sent last of all so far was sent
}

// repeatsAmong looks up what is known of a batch.
func repeatsAmong(ctx context.Context, tx *db.Tx, messages []reading) (r repeats, err error) {
	if len(messages) == 0 {
		return r, nil
	}
	from, to := messages[0].Seq, messages[len(messages)-1].Seq
	if r.decided, r.sent, err = tx.RepeatsFoundUpTo(ctx); err != nil {
		return r, err
	}
	if from <= r.decided {
		if r.known, err = tx.KnownRepeats(ctx, from, to); err != nil {
			return r, err
		}
	}
	if to > r.decided {
		r.awaited, r.dead, err = tx.RepeatsToFind(ctx)
	}
	return r, err
}

// write is [write], except that a message that repeats another becomes nothing of its own.
func (r *repeats) write(ctx context.Context, tx *db.Tx, messages []reading) error {
	var rest []reading // not written yet
	for i := range messages {
		m := &messages[i]
		r.last = max(r.last, m.Seq)
		of, fresh := r.known[m.Seq], m.Seq > r.decided
		if fresh && r.wants(m) {
			if slices.ContainsFunc(rest, m.mayRepeat) { // which must be there to be found
				if err := write(ctx, tx, rest); err != nil {
					return err
				}
				rest = nil
			}
			var err error
			if of, err = r.find(ctx, tx, m); err != nil {
				return err
			}
		}
		if m.envelope.When.After(r.sent) {
			r.sent = m.envelope.When
		}
		switch {
		case of == 0:
			rest = append(rest, *m)
		case fresh: // else its links were used, or are dead by now
			if err := tx.Pair(ctx, m.MessageID, m.Seq, of, false); err != nil {
				return err
			}
			if err := RenewAgain(ctx, tx, of, m.downloads); err != nil {
				return err
			}
		}
	}
	if len(rest) == 0 {
		return nil
	}
	return write(ctx, tx, rest)
}

// mayRepeat says whether a message could repeat the older one by what both are about.
func (m *reading) mayRepeat(older reading) bool {
	return m.Type == older.Type && len(m.downloads) > 0 && len(older.downloads) > 0 && m.downloads[0].PatientID == older.downloads[0].PatientID
}

// done notes how far it is decided what repeats what.
func (r *repeats) done(ctx context.Context, tx *db.Tx) error {
	if r.last <= r.decided {
		return nil
	}
	return tx.SetRepeatsFoundUpTo(ctx, r.last, r.sent)
}

// wants says whether a new message has to be looked for among those before it.
func (r *repeats) wants(m *reading) bool {
	return m.status == db.StatusProcessed && (r.awaited || r.byContent(m) && (r.dead || r.late(m)))
}

// byContent says whether what a message says can show that it repeats another.
func (r *repeats) byContent(m *reading) bool {
	return len(m.downloads) > 0 && !m.envelope.Shared && !m.envelope.Test
}

// late says whether a message came long after it was sent, and after one that was sent later: it may have been missed at
// first. Where all came in the order in which they were sent, none was.
func (r *repeats) late(m *reading) bool {
	sent := m.envelope.When
	return !sent.IsZero() && m.ReceivedAt.Sub(sent) > lateBy && sent.Before(r.sent)
}

// find returns the message that a new one repeats, 0 where it repeats none.
func (r *repeats) find(ctx context.Context, tx *db.Tx, m *reading) (int64, error) {
	if r.awaited {
		if of, err := tx.AwaitedRepeat(ctx, m.MessageID); err != nil || of != 0 {
			return of, err
		}
	}
	if !r.byContent(m) {
		return 0, nil
	}
	e := m.envelope
	var candidates []db.Twin
	var err error
	if r.dead {
		candidates, err = tx.DeadLike(ctx, m.Seq, e.Type, e.RequestID, m.downloads[0].PatientID)
	}
	if err == nil && len(candidates) == 0 && r.late(m) {
		candidates, err = tx.SentAfter(ctx, m.Seq, e.When, e.Type, e.RequestID, m.downloads[0].PatientID)
	}
	if err != nil || len(candidates) == 0 {
		return 0, err
	}
	return match(ctx, tx, m, e, candidates)
}

// match returns the first of the candidates that a message repeats: rather one that the sender is being asked for, and one
// that leads to the same objects.
func match(ctx context.Context, tx *db.Tx, m *reading, e metriport.Envelope, candidates []db.Twin) (int64, error) {
	says := metriport.Print(m.Body)
	links := linksIn(e.Type, m.Body)
	best, rank := int64(0), 0
	for _, c := range candidates {
		if c.Print == nil {
			body, err := tx.Body(ctx, c.Seq)
			if err != nil {
				return 0, err
			}
			c.Print = metriport.Print(body)
			if err := tx.KeepPrint(ctx, c.Seq, c.Print); err != nil {
				return 0, err
			}
		}
		if says == nil || !bytes.Equal(says, c.Print) {
			continue
		}
		body, err := tx.Body(ctx, c.Seq)
		if err != nil {
			return 0, err
		}
		same := metriport.SameFiles(links, linksIn(e.Type, body))
		now := 0
		switch {
		case same && c.Asked:
			now = 4
		case same:
			now = 3
		case c.Asked:
			now = 2
		case tied(m, e):
			now = 1
		}
		if now > rank {
			best, rank = c.Seq, now
		}
	}
	if best == 0 {
		return 0, nil
	}
	return tx.FirstOf(ctx, best)
}

// tied says whether a message holds something that two events do not share: the id of the request, or the instant at which
// the sender's source sent it. A patient and a day are not enough: two drugs can be dispensed in one.
func tied(m *reading, e metriport.Envelope) bool {
	if e.RequestID != "" {
		return true
	}
	for _, n := range m.notifications {
		if n.SourceSentAt.IsZero() {
			return false
		}
	}
	return len(m.notifications) > 0
}

func linksIn(kind string, body []byte) []metriport.Link {
	event, err := metriport.ReadEvent(metriport.Type(kind), body)
	if err != nil {
		return nil
	}
	return metriport.Links(metriport.Type(kind), event, time.Time{})
}

// RenewAgain gives the downloads of message of the links of a message that repeats it, each at its place.
func RenewAgain(ctx context.Context, tx *db.Tx, of int64, links []db.Download) error {
	for _, d := range links {
		if err := tx.RenewAgain(ctx, of, d.Place, d.URL, d.ExpiresAt); err != nil {
			return err
		}
	}
	return nil
}

// ErrOtherMessage says that what the sender answered is not the message that it was asked for.
var ErrOtherMessage = errors.New("what Metriport answered is another message than the one it was asked for")

// Answered takes what the sender answered when it was asked for message of again: the new message with its id and fresh
// links. It may have come before, come later, or never come. It returns [ErrOtherMessage] for anything else.
func Answered(ctx context.Context, tx *db.Tx, of int64, body []byte) error {
	e := metriport.ReadEnvelope(body)
	if e.Malformed != "" || !metriport.Known(e.Type) {
		return ErrOtherMessage
	}
	asked, err := tx.Body(ctx, of)
	if err != nil {
		return err
	}
	first := metriport.ReadEnvelope(asked)
	if first.Type != e.Type || first.RequestID != e.RequestID || first.MessageID == e.MessageID || e.Shared {
		return ErrOtherMessage
	}
	r := read(db.Waiting{Seq: of, ReceivedAt: time.UnixMilli(tx.Now).UTC(), Type: e.Type, MessageID: e.MessageID, Body: body})
	seq, met, err := tx.InboxPlace(ctx, e.MessageID)
	if err != nil {
		return err
	}
	if seq == of {
		return ErrOtherMessage
	}
	known := map[int64]int64{}
	if met {
		if known, err = tx.KnownRepeats(ctx, seq, seq); err != nil {
			return err
		}
	}
	place := seq
	if !met {
		place = 0 // the chart will meet it
	}
	if err := tx.Pair(ctx, e.MessageID, place, of, true); err != nil {
		return err
	}
	if met && known[seq] == 0 { // it came before the answer, and did not look like a repeat
		patients, err := tx.TakeBack(ctx, seq)
		if err != nil {
			return err
		}
		if err := refold(ctx, tx, patients); err != nil {
			return err
		}
	}
	return RenewAgain(ctx, tx, of, r.downloads)
}
