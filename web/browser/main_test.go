//go:build browser

package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// patience is how long a test waits for what must come. It is generous on purpose: nothing here measures speed.
const patience = 30 * time.Second

// The one browser of this package. Each test gets a profile and a tab of its own in it.
var (
	chromium    context.Context
	errChromium error
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "carebell-chromium-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "cannot make a folder for the browser:", err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	var stop func()
	chromium, stop, errChromium = startChromium(dir)
	defer stop()
	return m.Run()
}

// startChromium starts the browser that CHROMIUM names, else the one in the path. An error says how to get one; the
// tests then fail with it, because a test that is skipped proves nothing.
func startChromium(dir string) (context.Context, func(), error) {
	name := "chromium"
	if s := os.Getenv("CHROMIUM"); s != "" {
		name = s
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return nil, func() {}, errors.New("the browser tests need Chromium, which is not installed: " +
			"run `apt-get install chromium fonts-dejavu-core`, or name a Chrome in CHROMIUM")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(filepath.Join(dir, "profile")),
		chromedp.NoSandbox, // the tests run as root in a container; the pages are our own
		chromedp.DisableGPU,
		chromedp.Flag("disable-component-update", true),
		chromedp.WindowSize(wide, 900),
	)
	allocator, free := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	stop := func() { cancel(); free() }
	if err := chromedp.Do(ctx); err != nil {
		return nil, stop, fmt.Errorf("the browser %s does not start: %w", path, err)
	}
	return ctx, stop, nil
}

// ownBrowser runs part of a test in a browser that no other test uses, and once more in another where the browser itself
// came down in the middle.
func ownBrowser(t *testing.T, part func(b *tab)) {
	t.Helper()
	for again := range 2 {
		ctx, stop, err := startChromium(t.TempDir())
		if err != nil {
			stop()
			t.Fatal(err)
		}
		try := &trial{TB: t}
		done := make(chan struct{})
		go func() {
			defer close(done)
			part(openTab(try, ctx, "", chromedp.WithNewWindow(true)))
		}()
		<-done
		down := ctx.Err() != nil
		stop()
		if down && again == 0 {
			t.Logf("the browser came down: %q", try.failures)
			continue
		}
		for _, f := range try.failures {
			t.Error(f)
		}
		return
	}
}

// trial keeps failures instead of telling them, so that what failed for another reason can be done again.
type trial struct {
	testing.TB
	failures []string
}

func (t *trial) Errorf(format string, args ...any) {
	t.failures = append(t.failures, fmt.Sprintf(format, args...))
}

func (t *trial) Fatalf(format string, args ...any) {
	t.Errorf(format, args...)
	runtime.Goexit()
}

func (t *trial) Fatal(args ...any) { t.Fatalf("%s", fmt.Sprint(args...)) }

// Cleanup does nothing: the browser goes as a whole.
func (t *trial) Cleanup(func()) {}
