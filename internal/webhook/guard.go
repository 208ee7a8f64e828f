package webhook

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// forbidden are networks that are not the public Internet, or a way back from
// it. IPv4-mapped addresses are unmapped before.
var forbidden = parsePrefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	// Within what is public of IPv6: Teredo and other assignments, documentation, 6to4, which leads to any IPv4 address.
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)

// public is all of IPv6 that is routed to everybody: neither loopback, nor
// link-local or unique-local, nor NAT64 (64:ff9b::/96), nor the old forms that
// hold an IPv4 address.
var public = netip.MustParsePrefix("2000::/3")

func parsePrefixes(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// errPrivate is what the guard says: no such address is sent to.
var errPrivate = errors.New("the address leads into a private network, where notifications are not sent")

// guard decides which addresses may be connected to.
type guard struct {
	allowed []netip.Prefix // besides public ones
	// only: public ones are none of its business, for what is not encrypted.
	only bool
}

// admits reports whether an address may be connected to.
func (g guard) admits(ip netip.Addr) bool {
	ip = ip.Unmap()
	in := func(networks []netip.Prefix) bool {
		return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(ip.WithZone("")) })
	}
	switch {
	case in(g.allowed):
		return true
	case g.only || !ip.IsValid() || ip.Zone() != "":
		return false
	case ip.Is4():
		return !in(forbidden)
	default:
		return public.Contains(ip) && !in(forbidden)
	}
}

// control is a dialer's: it sees the address after the name was looked up,
// right before it is connected to, so that no second look-up can differ.
func (g guard) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("read the address that is connected to: %w", err)
	}
	if !g.admits(at.Addr()) {
		return errPrivate
	}
	return nil
}

// Bounds of one attempt.
const (
	dialTimeout    = 5 * time.Second
	attemptTimeout = 15 * time.Second
	maxHeader      = 64 << 10
	maxAnswer      = 64 << 10
)

// client sends through the guard alone: no proxy, whose address would be what
// is checked, and no redirects.
func (g guard) client() *http.Client {
	dialer := &net.Dialer{Timeout: dialTimeout, ControlContext: g.control}
	return &http.Client{
		Timeout:       attemptTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DialContext: dialer.DialContext, TLSHandshakeTimeout: dialTimeout, ForceAttemptHTTP2: true,
			MaxResponseHeaderBytes: maxHeader, MaxIdleConns: 50, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute},
	}
}
