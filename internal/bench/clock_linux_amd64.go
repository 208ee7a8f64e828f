package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// clocked says that the clock of a process can be set wrong here.
const clocked = true

// clockCode takes the place of __vdso_clock_gettime, which every Go program
// asks for the time: it asks the kernel, and adds the seconds that stand behind
// the code to the time of day. What is measured with the monotonic clock stays
// right, as when somebody sets the clock of a machine.
var clockCode = []byte{
	0xb8, 0xe4, 0, 0, 0, // mov eax, 228: clock_gettime(edi, rsi)
	0x0f, 0x05, // syscall
	0x85, 0xff, // test edi, edi: CLOCK_REALTIME is 0
	0x75, 0x0a, // jne to ret
	0x48, 0x8b, 0x0d, 6, 0, 0, 0, // mov rcx, [rip+6]: clockAhead
	0x48, 0x01, 0x0e, // add [rsi], rcx: the seconds
	0xc3,       // ret
	0x90, 0x90, // so that what follows is aligned
	0, 0, 0, 0, 0, 0, 0, 0, // clockAhead
}

// clockAhead is where in clockCode the seconds are.
const clockAhead = 24

// clock is the time of day as one process sees it.
type clock struct {
	memory string // a file
	ahead  int64  // where in it the seconds are
}

// startClocked starts a program with a clock of its own, which is right until
// it is set. The program is as it is shipped and knows nothing of it: it is
// stopped before its first instruction, and only the page with the kernel's
// fast way to the time, which is its own copy, is changed.
func startClocked(cmd *exec.Cmd) (*clock, error) {
	runtime.LockOSThread() // only the thread that started it may let it go on
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr.Ptrace = true
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	pid := cmd.Process.Pid
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil || !status.Stopped() {
		return nil, errors.Join(fmt.Errorf("it did not stop at its start: %v", status), err, cmd.Process.Kill())
	}
	c, err := newClock(pid)
	if err != nil {
		return nil, errors.Join(err, cmd.Process.Kill())
	}
	return c, syscall.PtraceDetach(pid)
}

func newClock(pid int) (*clock, error) {
	c := &clock{memory: fmt.Sprintf("/proc/%d/mem", pid)}
	from, to, err := vdso(pid)
	if err != nil {
		return nil, err
	}
	memory, err := os.Open(c.memory)
	if err != nil {
		return nil, err
	}
	defer func() { _ = memory.Close() }() // it was only read
	image := make([]byte, to-from)
	if _, err := memory.ReadAt(image, from); err != nil {
		return nil, err
	}
	at, err := clockGettime(image)
	if err != nil {
		return nil, err
	}
	c.ahead = from + at + clockAhead
	return c, c.write(from+at, clockCode)
}

// vdso finds where the kernel put its fast system calls.
func vdso(pid int) (from, to int64, err error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(maps)) {
		if strings.HasSuffix(strings.TrimSpace(line), "[vdso]") {
			_, err := fmt.Sscanf(line, "%x-%x", &from, &to)
			return from, to, err
		}
	}
	return 0, 0, errors.New("the process has no vDSO")
}

// clockGettime finds the function in the library that the vDSO is.
func clockGettime(image []byte) (int64, error) {
	library, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return 0, fmt.Errorf("vDSO: %w", err)
	}
	symbols, err := library.DynamicSymbols()
	if err != nil {
		return 0, fmt.Errorf("vDSO: %w", err)
	}
	for _, s := range symbols {
		if s.Name == "__vdso_clock_gettime" && s.Size >= uint64(len(clockCode)) && s.Value%8 == 0 {
			return int64(s.Value), nil //nolint:gosec // within a page or two
		}
	}
	return 0, errors.New("the vDSO has no __vdso_clock_gettime that could be replaced")
}

// set makes the time of day wrong by so many seconds, from now on.
func (c *clock) set(wrong time.Duration) error {
	return c.write(c.ahead, binary.LittleEndian.AppendUint64(nil, uint64(int64(wrong/time.Second)))) //nolint:gosec // negative as two's complement
}

func (c *clock) write(at int64, text []byte) error {
	memory, err := os.OpenFile(c.memory, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = memory.WriteAt(text, at)
	return errors.Join(err, memory.Close())
}
