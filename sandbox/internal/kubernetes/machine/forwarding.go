package machine

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
)

// forwarding is the kernel's switch without which nothing reaches a node. The
// note says that it was off. It is the machine's like the switch, and gone
// after the next boot like what was set: whichever sandbox is the last puts the
// switch back, and that need not be the one that turned it on.
var forwarding = toggle{kernel: "/proc/sys/net/ipv4/ip_forward", note: "/run/daskbot-ip_forward", users: bridges}

// toggle is a switch of the kernel that several sandboxes need.
type toggle struct {
	kernel, note string
	users        func() (int, error) // counts who needs it
}

// on turns the switch on, and notes it down first when it was off.
func (s toggle) on() error {
	value, err := os.ReadFile(s.kernel)
	if err != nil || strings.TrimSpace(string(value)) != "0" {
		return err
	}
	if err := os.WriteFile(s.note, value, 0o600); err != nil {
		return err
	}
	return os.WriteFile(s.kernel, []byte("1"), 0o644)
}

// back puts the switch back where the first sandbox found it, unless another
// one needs it.
func (s toggle) back() error {
	value, err := os.ReadFile(s.note)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if others, err := s.users(); err != nil || others > 0 {
		return err
	}
	if err := os.WriteFile(s.kernel, value, 0o644); err != nil {
		return err
	}
	return os.Remove(s.note)
}

// bridges counts the clusters with real nodes on this computer.
func bridges() (n int, err error) {
	links, err := netlink.LinkList()
	if err != nil {
		return 0, err
	}
	for _, link := range links {
		if bridge, ok := link.(*netlink.Bridge); ok && strings.HasPrefix(bridge.Name, "db") {
			n++
		}
	}
	return n, nil
}
