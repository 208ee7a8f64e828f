package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// tellsTime makes the test program tell the time of day, and how long it has
// run, for every line it reads.
const tellsTime = "DASKBOT_TELLS_TIME"

func TestMain(m *testing.M) {
	if os.Getenv(tellsTime) == "" {
		os.Exit(m.Run())
	}
	began := time.Now()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println(time.Now().Unix(), int64(time.Since(began)))
	}
}

func TestTheTimeOfDayJumpsAndWhatIsMeasuredDoesNot(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), tellsTime+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c, err := startClocked(cmd)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	last := int64(0)
	for _, wrong := range []time.Duration{0, 90 * time.Second, -90 * time.Second, -48 * time.Hour, 0} {
		if err := c.set(wrong); err != nil {
			t.Fatal(err)
		}
		before := time.Now()
		if _, err := io.WriteString(in, "\n"); err != nil {
			t.Fatal(err)
		}
		var told, ran int64
		if _, err := fmt.Fscanln(lines, &told, &ran); err != nil {
			t.Fatal(err)
		}
		if earliest, latest := before.Add(wrong).Unix(), time.Now().Add(wrong).Unix(); told < earliest || told > latest {
			t.Errorf("set wrong by %s it tells %d; want between %d and %d", wrong, told, earliest, latest)
		}
		if ran < last || ran > int64(time.Minute*10) {
			t.Errorf("set wrong by %s it has run for %d ns, and before for %d", wrong, ran, last)
		}
		last = ran
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}
