package client

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/daskbot/daskbot/cmd/daskbot/client/daemontest"
)

var now = daemontest.Now

// daemon is one to run command lines against.
type daemon struct {
	*daemontest.Daemon
	t    *testing.T
	read func(name string) ([]byte, error) // what commands read; nil for no file
}

func newDaemon(t *testing.T) *daemon {
	t.Helper()
	return &daemon{Daemon: daemontest.New(t), t: t}
}

// output is what a command printed; commands write it from several goroutines.
type output struct {
	mu sync.Mutex
	bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.Buffer.Write(p)
}

// world is a person without a terminal, in Vienna.
func (d *daemon) world(out, errs io.Writer) World {
	env := map[string]string{"DASKBOT_URL": d.Server.URL, "DASKBOT_TOKEN": d.Admin, "USER": "alice"}
	return World{Out: out, Err: errs, ReadFile: d.read, Getenv: func(name string) string { return env[name] },
		HTTP: d.Server.Client(), Now: func() time.Time { return now }, Zone: time.FixedZone("CET", 3600), Width: func() int { return 0 }}
}

// do runs one command line.
func (d *daemon) do(ctx context.Context, w World, line string) int {
	d.t.Helper()
	root := &cobra.Command{Use: "daskbot"}
	Add(root, w)
	return Execute(ctx, root, strings.Fields(line), w)
}

var volatile = []struct {
	what *regexp.Regexp
	to   string
}{
	{regexp.MustCompile(`dbt_[0-9a-f]{64}`), "dbt_SECRET"},
	{regexp.MustCompile(`[2-9a-z]{4}(-[2-9a-z]{4}){3}`), "PASS-WORD"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "HOST"},
}

// transcript runs command lines and returns what a person saw.
func (d *daemon) transcript(lines ...string) string {
	d.t.Helper()
	var all strings.Builder
	for _, line := range lines {
		var out output
		code := d.do(d.t.Context(), d.world(&out, &out), line)
		fmt.Fprintf(&all, "$ daskbot %s\n%s[exit %d]\n\n", line, out.String(), code)
	}
	text := all.String()
	for _, v := range volatile {
		text = v.what.ReplaceAllString(text, v.to)
	}
	tokens, err := d.Store.Tokens(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	for i, t := range tokens {
		text = strings.ReplaceAll(text, t.ID, fmt.Sprintf("token-%02d", i+1))
	}
	return text
}
