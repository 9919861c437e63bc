package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

// measure is one thing that `carebell bench` measures: of the whole product, beside a yardstick in the same run.
type measure struct {
	name  string
	help  string
	flags func(f *flag.FlagSet)
	small func() // makes it small, for a run that only shows that it works
	// run measures in the folder dir, which is thrown away afterwards, and writes a [benchReport] as JSON.
	run func(ctx context.Context, dir string, t terminal) error
	// given takes the folder that was named behind the measure; nil where none can be.
	given func(folder string)
	alone bool // it is no part of `all`
	keeps bool // it writes in the folder that is named, and nothing else
}

// measures lists them, in the order in which `all` runs them.
func measures() []measure {
	i := &ingestBench{json: true}
	events := func(f *flag.FlagSet) { f.IntVar(&i.events, "events", 100_000, "how many webhooks") }
	var o archiveBench
	var pages pagesBench
	var memory memoryBench
	var l liveBench
	var fill fillBench
	var folder string
	return []measure{
		{
			name: "ingest", help: "durable acknowledgements, beside a receiver that stores nothing and one that commits each alone",
			flags: func(f *flag.FlagSet) {
				f.IntVar(&i.rounds, "rounds", 5, "how many rounds are measured")
				f.DurationVar(&i.round, "round", 2*time.Second, "how long one of them takes")
			},
			small: func() { i.rounds, i.round = 1, time.Second },
			run: func(ctx context.Context, dir string, t terminal) error {
				if i.rounds < 1 || i.round <= 0 {
					return errors.New("--rounds and --round must be positive")
				}
				return i.ingest(ctx, dir, t)
			},
		},
		{
			name: "burst", help: "many webhooks at once, with pages and marks meanwhile, and how long the chart takes to catch up",
			flags: func(f *flag.FlagSet) {
				events(f)
				f.DurationVar(&i.steadily, "steadily", 10*time.Second, "how long they come at a steady pace afterwards")
			},
			small: func() { i.events, i.steadily = 3000, time.Second }, run: i.many((*ingestBench).burst),
		},
		{
			name: "rebuild", help: "the chart made again from the inbox", flags: events, small: func() { i.events = 3000 }, run: i.many((*ingestBench).rebuild),
		},
		{
			name: "archive", help: "links fetched before they expire, also when their origin is down, and what a long queue costs the receiver",
			flags: func(f *flag.FlagSet) {
				f.IntVar(&o.documents, "documents", 400, "how many documents with links are sent in each part")
				f.IntVar(&o.size, "size", 64, "KiB of a document")
				f.DurationVar(&o.outage, "outage", time.Minute, "how long the origin is down")
				f.DurationVar(&o.life, "life", 10*time.Minute, "how long a link lives; the sender's own live 10 minutes")
				f.DurationVar(&o.away, "away", 20*time.Millisecond, "how long the origin takes to answer")
				f.IntVar(&o.queue, "queue", 20_000, "how many links wait while acknowledgements are counted; 0 = leave that out")
			},
			small: func() { o.documents, o.size, o.outage, o.life, o.queue = 40, 8, time.Second, time.Minute, 0 },
			run:   func(ctx context.Context, dir string, t terminal) error { return o.run(ctx, dir, t) },
		},
		{
			name: "pages", help: "every page, filter, search and export, over HTTP, beside a static page: of a folder that `fill` made, or one of --events",
			flags: func(f *flag.FlagSet) {
				f.IntVar(&pages.fill.events, "events", 100_000, "how many messages are filled in where no folder is named")
				f.IntVar(&pages.rounds, "rounds", 20, "how often each page is asked for")
				f.StringVar(&pages.only, "only", "", "only the pages whose name holds this")
			},
			small: func() { pages.fill.events, pages.fill.records, pages.rounds = 1000, 50, 3 },
			run:   func(ctx context.Context, dir string, t terminal) error { return pages.run(ctx, dir, t) },
			given: func(named string) { pages.folder = named },
		},
		{
			name: "live", help: "a thousand open screens, from the webhook to each of them, beside a server that does nothing but send such frames",
			flags: func(f *flag.FlagSet) {
				f.IntVar(&l.sockets, "sockets", 1000, "how many screens are open")
				f.IntVar(&l.filters, "filters", 50, "over how many filters of the feed")
				f.IntVar(&l.existing, "existing", 20_000, "how many webhooks are in the chart before")
				f.StringVar(&l.folder, "folder", "", "a data folder to measure in, such as a copy of a large one; it is written to")
				f.IntVar(&l.events, "webhooks", 200, "how many webhooks are timed")
				f.Float64Var(&l.rate, "rate", 20, "webhooks a second")
			},
			small: func() { l.sockets, l.filters, l.existing, l.events, l.rate = 120, 10, 64, 10, 50 },
			run:   func(ctx context.Context, dir string, t terminal) error { return l.run(ctx, dir, t) },
		},
		{
			name: "memory", help: "memory of the whole process: at rest, with its pages, exports and big files",
			flags: func(f *flag.FlagSet) {
				f.IntVar(&memory.fill.events, "events", 100_000, "how many messages are filled in where no folder is named")
				f.IntVar(&memory.large, "large", 48, "MiB of the big files")
			},
			small: func() { memory.fill.events, memory.fill.records, memory.large = 1000, 50, 8 },
			run:   func(ctx context.Context, dir string, t terminal) error { return memory.run(ctx, dir, t) },
			given: func(named string) { memory.folder = named },
		},
		{
			name: "fill", help: "no measure: make a large, realistic database in a folder, out of signed deliveries", alone: true, keeps: true,
			flags: func(f *flag.FlagSet) {
				f.IntVar(&fill.events, "events", 1_000_000, "how many messages")
				f.IntVar(&fill.records, "records", 0, "one story in so many has its files; 0 = 100, of fewer than 200,000 events 10, of fewer than 20,000 every one")
				f.IntVar(&fill.days, "days", fillDays, "over how many days they are spread")
			},
			run:   func(ctx context.Context, _ string, t terminal) error { return fill.run(ctx, folder, t) },
			given: func(named string) { folder = named },
		},
	}
}

// many checks how many events are asked for.
func (o *ingestBench) many(run func(o *ingestBench, ctx context.Context, work string, t terminal) error) func(context.Context, string, terminal) error {
	return func(ctx context.Context, dir string, t terminal) error {
		if o.events < benchConnections {
			return fmt.Errorf("--events must be at least %d", benchConnections)
		}
		if o.steadily < 0 {
			return errors.New("--steadily must not be negative")
		}
		return run(o, ctx, dir, t)
	}
}

// bench runs one measure, or all.
func bench(ctx context.Context, s *settings, args []string, t terminal) error {
	all := measures()
	f := s.flags("bench")
	asJSON := f.Bool("json", false, "answer as JSON")
	if len(args) > 0 && args[0] == "all" {
		return benchAll(ctx, s, f, asJSON, args[1:], t)
	}
	for _, m := range all {
		if len(args) == 0 || args[0] != m.name {
			continue
		}
		m.flags(f)
		most := 0
		if m.given != nil {
			most = 1
		}
		words, err := parse(f, args[1:], most, t)
		if err != nil {
			return err
		}
		if len(words) > 0 {
			m.given(words[0])
		}
		if m.keeps {
			if len(words) == 0 {
				return fmt.Errorf("say where to: carebell bench %s --events 1000000 FOLDER", m.name)
			}
			return m.run(ctx, "", t)
		}
		r, err := m.measure(ctx, s, t)
		switch { // what was found is said also where that is too little
		case len(r.Figures) == 0:
		case *asJSON:
			err = errors.Join(err, r.write(t))
		default:
			r.table(t.out)
		}
		return err
	}
	var lines []string
	for _, m := range all {
		lines = append(lines, fmt.Sprintf("  carebell bench %-8s %s", m.name, m.help))
	}
	if len(args) > 0 && (args[0] == "--help" || args[0] == "-h") {
		fmt.Fprintln(t.out, "Measures of the whole product, each with flags of its own (carebell bench NAME --help):\n"+strings.Join(lines, "\n")+"\n  carebell bench all      every one of them, as one table")
		return nil
	}
	var names []string
	for _, m := range all {
		names = append(names, "carebell bench "+m.name)
	}
	return errors.New("say what to measure: carebell bench all, " + strings.Join(names, ", ") + "; carebell bench --help says what each of them is")
}

// measure runs m in a folder of its own on the disk of the data folder, and reads what it says.
func (m measure) measure(ctx context.Context, s *settings, t terminal) (r benchReport, err error) {
	dir, err := s.dataFolder(false)
	if err != nil {
		return r, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return r, fmt.Errorf("cannot make the folder %s to measure in: %w; choose another disk with CAREBELL_DATA", dir, err)
	}
	work, err := os.MkdirTemp(dir, "bench-")
	if err != nil {
		return r, fmt.Errorf("cannot write in %s to measure its disk: %w; choose another with CAREBELL_DATA", dir, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	var out bytes.Buffer
	err = m.run(ctx, work, terminal{in: t.in, out: &out, log: t.log})
	if unread := json.Unmarshal(out.Bytes(), &r); unread != nil && err == nil {
		err = fmt.Errorf("reading what %s found: %w", m.name, unread)
	}
	r.Name = m.name
	return r, err
}
