//go:build browser

package browser

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// tallest is how much of a long page a picture shows, in CSS pixels.
const tallest = 1800

// With SCREENSHOTS set to a folder, every page is written there as people see it. Nothing is compared.
func TestScreenshots(t *testing.T) {
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		t.Log("set SCREENSHOTS to a folder to have pictures of every page")
		return
	}
	everyPlace(t, picture)
}

// picture writes the page that is open to the folder of TestScreenshots, in every variant; without one it does nothing.
func picture(b *tab, name string) {
	b.Helper()
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		return
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.Fatal(err)
	}
	variants(b, func(variant string) {
		width := eval[int64](b, `window.innerWidth`)
		height := min(eval[int64](b, `Math.max(900, document.documentElement.scrollHeight)`), tallest)
		b.do(chromedp.EmulateViewport(width, height), nextFrame)
		shot := call(b, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatPng})
		b.window(width)
		if err := os.WriteFile(filepath.Join(dir, name+"-"+variant+".png"), shot.Data, 0o644); err != nil {
			b.Fatal(err)
		}
	})
}
