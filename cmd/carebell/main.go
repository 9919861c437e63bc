// Command carebell receives a health data network's webhooks on the clinic's own machine and shows them live.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Environ(), terminal{os.Stdin, os.Stdout, os.Stderr})
	stop()
	var code exitCode
	if errors.As(err, &code) {
		os.Exit(int(code))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "carebell: "+err.Error())
		os.Exit(1)
	}
}

// terminal is where a command reads and writes: results to out, everything else to log.
type terminal struct {
	in  io.Reader
	out io.Writer
	log io.Writer
}

// command is one word of the command line.
type command struct {
	name  string
	usage string
	help  string
	run   func(ctx context.Context, s *settings, args []string, t terminal) error
}

func commands() []command {
	return []command{
		{"serve", "serve", "receive webhooks and serve the pages", serve},
		{"demo", "demo [--speed 60] [--port 8080] [--outage] [--hostile]", "show Carebell with a simulated sender, in a throw-away folder", demo},
		{"user", "user add --email E --role admin|coordinator|viewer", "add a person; the password comes from standard input", user},
		{"inbox", "inbox [--json] [--after SEQ] [--type T] [--status S]", "list what came in", inbox},
		{"send", "send TYPE|FILE [--url U] [--key K]", "sign and post a sample event or a file", send},
		{"rebuild", "rebuild", "make everything people see again from the inbox", rebuild},
		{"check", "check [--silence 24h] [--lag 1m] [--ask URL]", "one line and an exit code for a monitor: 0 all is well, 1 a warning, 2 critical, 3 not known", check},
		{"verify", "verify", "check that nothing in the inbox is missing or changed", verify},
		{"bench", "bench all | NAME [--json] [FOLDER]", "measure the whole product against a yardstick; carebell bench --help lists what, and carebell bench fill --events N FOLDER makes a large database", bench},
		{"version", "version", "say which version this is", version},
	}
}

// run carries out one command line. Its error is one sentence for the person who typed it.
func run(ctx context.Context, args, env []string, t terminal) error {
	if len(args) == 0 || slices.Contains([]string{"help", "-h", "-help", "--help"}, args[0]) {
		return help(t.out)
	}
	for _, c := range commands() {
		if c.name != args[0] {
			continue
		}
		s, err := readEnvironment(env)
		if err == nil {
			err = c.run(ctx, s, args[1:], t)
		}
		if errors.Is(err, errHelp) {
			return nil
		}
		var code exitCode
		if c.name == "check" && err != nil && !errors.As(err, &code) {
			return unknown(t, err)
		}
		return err
	}
	return fmt.Errorf("there is no command %q: carebell help lists them", args[0])
}

func help(w io.Writer) error {
	var b strings.Builder
	b.WriteString("Carebell shows what happens to a clinic's patients elsewhere, live.\n\nCommands:\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "  carebell %s\n        %s\n", c.usage, c.help)
	}
	b.WriteString("\nSettings, as environment or as flags of the same name (CAREBELL_ADDR is --addr):\n")
	for _, d := range documented {
		fmt.Fprintf(&b, "  %-26s %s\n", d.name, d.help)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
