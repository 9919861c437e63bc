package chart

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"carebell/db"
	"carebell/web/metriport"
)

// benchPatients is how many patients a practice of some size has.
const benchPatients = 20_000

// benchEvent is the n-th event of a stream as a practice gets it: admits, transfers and discharges, pharmacy and laboratory notices,
// each with its link, of patients in no order.
func benchEvent(n int) []byte {
	patient := n * 7919 % benchPatients
	id := fmt.Sprintf("%08x-0000-7000-8000-%012x", n, n)
	url := fmt.Sprintf("https://sample.s3.us-west-1.amazonaws.com/objects/%032x?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=SAMPLE%%2F20260105%%2Fus-west-1%%2Fs3%%2Faws4_request&X-Amz-Date=20260105T150405Z&X-Amz-Expires=600&X-Amz-Signature=%064x&X-Amz-SignedHeaders=host", n, n)
	who := fmt.Sprintf(`"patientId":"%08x-0000-7000-8000-%012x","externalId":"%06d","additionalIds":{"athenahealth":["%06d"]}`, patient*2654435761%(1<<32), patient, patient, patient)
	day := time.Date(2026, 1, 5, 14, n%60, n/60%60, 0, time.UTC).AddDate(0, 0, n/benchPatients%300).Format(time.RFC3339)
	kind, times := "patient.admit", fmt.Sprintf(`"admitTimestamp":%q,"whenSourceSent":%q`, day, day)
	switch n % 5 {
	case 1:
		kind, times = "patient.discharge", fmt.Sprintf(`"admitTimestamp":%q,"dischargeTimestamp":%q,"whenSourceSent":%q`, day, day, day)
	case 2:
		kind = "patient.transfer"
		times = fmt.Sprintf(`"admitTimestamp":%q,"whenSourceSent":%q,"transfers":[{"timestamp":%q,"sourceLocation":{"name":"Sample Ward %d"},"destinationLocation":{"name":"Sample Hospital %d"}}]`, day, day, day, n%7, n%97)
	case 3:
		kind, times = "patient.pharmacy", fmt.Sprintf(`"medicationDispensedDate":%q`, day)
	case 4:
		kind, times = "patient.laboratory", fmt.Sprintf(`"specimenCollectedDate":%q`, day)
	}
	return fmt.Appendf(nil, `{"meta":{"messageId":%q,"when":"2026-01-05T15:04:05.123Z","type":%q},"payload":{"url":%q,%s,%s}}`, id, kind, url, who, times)
}

// fillInbox appends events to the inbox of a folder as the receiver does, and nothing else.
func fillInbox(tb testing.TB, d *db.DB, events int) {
	tb.Helper()
	in, err := d.OpenInbox(context.Background(), 0)
	if err != nil {
		tb.Fatal(err)
	}
	defer in.Close()
	var wg sync.WaitGroup
	const senders = 64
	for s := range senders {
		wg.Go(func() {
			for n := s; n < events; n += senders {
				body := benchEvent(n)
				e := metriport.ReadEnvelope(body)
				if _, err := in.Append(context.Background(), db.Received{MessageID: e.MessageID, Type: e.Type, SentAt: e.When, KeyID: "k", Body: body}); err != nil {
					tb.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkRebuild says how many events a second the chart takes in, on the data of 20,000 patients.
func BenchmarkRebuild(b *testing.B) {
	d, err := db.Open(context.Background(), b.TempDir(), db.Options{Now: time.Now, Serve: true})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	events := benchEvents()
	fillInbox(b, d, events)
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	b.ResetTimer()
	for range b.N {
		began, used := time.Now(), processorTime(b)
		if n, err := Rebuild(context.Background(), d, log, func(int) {}); err != nil || n != events {
			b.Fatal(n, err)
		}
		b.ReportMetric(float64(events)/time.Since(began).Seconds(), "events/s")
		b.ReportMetric(float64(events)/(processorTime(b)-used).Seconds(), "events/cpu-s") // the same however busy the machine is
	}
}

// processorTime is how much of the processors this process has used.
func processorTime(tb testing.TB) time.Duration {
	tb.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// benchEvents is how many events a benchmark takes in.
func benchEvents() int {
	if n, err := strconv.Atoi(os.Getenv("BENCH_EVENTS")); err == nil {
		return n
	}
	return 60_000
}
