package guest

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/vishvananda/netlink"
)

// Interface is the name of a node's network interface, which the host plugs in
// after the node has started.
const Interface = "eth0"

// connect waits for the interface and brings it up.
func connect(ctx context.Context, spec Spec) error {
	link, err := awaitLink(ctx)
	if err != nil {
		return err
	}
	address, err := netlink.ParseAddr(spec.Address)
	if err != nil {
		return fmt.Errorf("address of the node: %w", err)
	}
	if err := netlink.AddrReplace(link, address); err != nil {
		return fmt.Errorf("set address %s: %w", spec.Address, err)
	}
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	for _, l := range []netlink.Link{loopback, link} {
		if err := netlink.LinkSetUp(l); err != nil {
			return fmt.Errorf("bring up %s: %w", l.Attrs().Name, err)
		}
	}
	if err := netlink.RouteReplace(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: net.ParseIP(spec.Gateway)}); err != nil {
		return fmt.Errorf("route by %s: %w", spec.Gateway, err)
	}
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644)
}

func awaitLink(ctx context.Context) (netlink.Link, error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if link, err := netlink.LinkByName(Interface); err == nil {
			return link, nil
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-tick.C:
		}
	}
}
