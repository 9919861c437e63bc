package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"carebell/db"
)

// machine is what the figures were found on.
type machine struct {
	CPU    string  `json:"cpu"`
	Cores  int     `json:"cores"`
	Memory float64 `json:"memoryGB"`
	Disk   string  `json:"fileSystem"`
	System string  `json:"system"`
	Go     string  `json:"go"`
	SQLite string  `json:"sqlite"`
	Load   string  `json:"load"` // of the last minute, before it began
}

func (m machine) String() string {
	return fmt.Sprintf("%s, %d cores, %.0f GB, %s, %s, %s, SQLite %s; load before: %s", m.CPU, m.Cores, m.Memory, m.Disk, m.System, m.Go, m.SQLite, m.Load)
}

// fileSystems are the names of those that Linux numbers (statfs(2)).
var fileSystems = map[int64]string{0xef53: "ext4", 0x58465342: "xfs", 0x9123683e: "btrfs", 0x01021994: "tmpfs", 0x794c7630: "overlayfs", 0x2fc12fc1: "zfs", 0x6969: "nfs"}

func thisMachine(dir string) machine {
	m := machine{CPU: "unknown processor", Cores: runtime.NumCPU(), Disk: "unknown file system", System: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(), SQLite: db.SQLiteVersion(), Load: "unknown"}
	field := func(path, name string) string {
		content, _ := os.ReadFile(path) //nolint:gosec // of the system
		for line := range strings.Lines(string(content)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
				return strings.TrimSpace(value)
			}
		}
		return ""
	}
	if cpu := field("/proc/cpuinfo", "model name"); cpu != "" {
		m.CPU = cpu
	}
	var kB float64
	if _, err := fmt.Sscanf(field("/proc/meminfo", "MemTotal"), "%f kB", &kB); err == nil {
		m.Memory = kB / 1e6
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load, _, _ = strings.Cut(string(load), " ")
	}
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) == nil {
		m.Disk = fmt.Sprintf("file system %#x", s.Type)
		if name := fileSystems[s.Type]; name != "" {
			m.Disk = name
		}
	}
	return m
}

// benchAll runs every measure and prints one table.
func benchAll(ctx context.Context, s *settings, f *flag.FlagSet, asJSON *bool, args []string, t terminal) error {
	small := f.Bool("small", false, "each in a small form, which shows that it works and no figure to rely on")
	events := f.Int("events", 0, "how many messages the pages and the memory are measured with, where no folder is named; 0 = the usual")
	words, err := parse(f, args, 1, t)
	if err != nil {
		return err
	}
	all := measures()
	dir, err := s.dataFolder(false)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make the folder %s to measure in: %w; choose another disk with CAREBELL_DATA", dir, err)
	}
	answer := struct {
		Machine  machine       `json:"machine"`
		Measures []benchReport `json:"measures"`
	}{Machine: thisMachine(dir)}
	for _, m := range all {
		if m.alone {
			continue
		}
		own := flag.NewFlagSet(m.name, flag.ContinueOnError)
		m.flags(own) // its usual values
		if *small {
			m.small()
		}
		if m.given != nil && *events > 0 {
			if err := own.Set("events", strconv.Itoa(*events)); err != nil {
				return err
			}
		}
		if m.given != nil && len(words) > 0 {
			m.given(words[0])
		}
		fmt.Fprintln(t.log, "measuring "+m.name)
		r, err := m.measure(ctx, s, t)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		answer.Measures = append(answer.Measures, r)
	}
	if *asJSON {
		return json.NewEncoder(t.out).Encode(answer)
	}
	fmt.Fprintln(t.out, answer.Machine)
	for _, r := range answer.Measures {
		fmt.Fprintln(t.out)
		r.table(t.out)
	}
	return nil
}
