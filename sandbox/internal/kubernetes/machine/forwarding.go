package machine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"
)

// forwarding is the kernel's switch without which nothing reaches a node.
const forwarding = "/proc/sys/net/ipv4/ip_forward"

// note is the file in a state directory that says the switch was off.
func note(dir string) string { return filepath.Join(dir, "ip_forward") }

// forward turns the switch on, and notes it down first when it was off.
func forward(dir string) error {
	value, err := os.ReadFile(forwarding)
	if err != nil || strings.TrimSpace(string(value)) != "0" {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(note(dir), value, 0o600); err != nil {
		return err
	}
	return os.WriteFile(forwarding, []byte("1"), 0o644)
}

// unforward puts the switch back where this sandbox found it. While another
// sandbox needs it, it stays on, and the duty to put it back goes to nobody:
// that one may be the last to know.
func unforward(dir string) error {
	value, err := os.ReadFile(note(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	others, err := bridges()
	if err != nil {
		return err
	}
	if others == 0 {
		if err := os.WriteFile(forwarding, value, 0o644); err != nil {
			return err
		}
	}
	return os.Remove(note(dir))
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
