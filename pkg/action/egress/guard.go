/*
Copyright 2026 The KubeVela Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

// Package outbound connects actions to the world outside of the cluster's API
// server, and keeps them from what they have no business with: the machine that
// they run on, its link, and the metadata services of clouds.
//
// What is refused is decided by the address that is dialled, after its name was
// resolved, for each connection anew: neither a redirect nor a name server that
// changes its mind leads to it. No proxy is used, since it would hide that
// address.
package egress

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

// A AddressPolicy decides which addresses may be connected to. The zero Guard allows none
// of those that are refused by default. It is safe for concurrent use.
type AddressPolicy struct {
	// Allow are addresses that may be connected to although they are refused by
	// default.
	Allow []netip.Prefix
	// Resolver resolves names; nil is the system's.
	Resolver *net.Resolver
}

// DeniedAddressError says that an address may not be connected to. Trying again cannot
// help.
type DeniedAddressError struct {
	Addr netip.Addr
	// Kind is what it is, "a loopback address".
	Kind string
}

func (e *DeniedAddressError) Error() string {
	return fmt.Sprintf("connections to %s are refused: it is %s", e.Addr, e.Kind)
}

// ParseAllow parses a list of addresses and prefixes, such as "127.0.0.1" and
// "169.254.0.0/16".
func ParseAllow(list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, text := range list {
		text = strings.TrimSpace(text)
		if addr, err := netip.ParseAddr(text); err == nil {
			out = append(out, netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()))
			continue
		}
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("allowed address %q: neither an IP address nor a prefix such as 10.0.0.0/8", text)
		}
		out = append(out, prefix.Masked())
	}
	return out, nil
}

// Check returns a RefusedError where addr may not be connected to.
func (g AddressPolicy) Check(addr netip.Addr) error {
	addr = addr.Unmap().WithZone("")
	what := deniedKind(addr)
	if what == "" {
		return nil
	}
	for _, p := range g.Allow {
		if p.Contains(addr) {
			return nil
		}
	}
	return &DeniedAddressError{Addr: addr, Kind: what}
}

// Dial connects to address, as net.Dialer.DialContext does.
func (g AddressPolicy) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{
		Timeout:  dialTimeout,
		Resolver: g.Resolver,
		Control: func(_, resolved string, _ syscall.RawConn) error {
			addr, err := netip.ParseAddrPort(resolved)
			if err != nil {
				return fmt.Errorf("address %q: %w", resolved, err)
			}
			return g.Check(addr.Addr())
		},
	}
	return d.DialContext(ctx, network, address)
}

// dialTimeout bounds a connection's beginning where the caller's deadline does
// not.
const dialTimeout = 5 * time.Second

// deniedKind returns what is refused about addr; nothing where nothing is.
func deniedKind(addr netip.Addr) string {
	switch {
	case addr.IsLoopback():
		return "a loopback address"
	case addr.IsUnspecified() || addr.Is4() && addr.As4()[0] == 0:
		return "an unspecified address"
	case addr.IsMulticast() || addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "a multicast or broadcast address"
	case isMetadata(addr):
		return "a cloud's metadata service"
	case addr.IsLinkLocalUnicast():
		return "a link-local address"
	}
	if inner := embeddedIPv4(addr); inner.IsValid() {
		return deniedKind(inner)
	}
	return ""
}

// isMetadata reports whether addr is a service that tells the machines of a cloud
// who they are.
func isMetadata(addr netip.Addr) bool {
	switch addr.String() {
	case "169.254.169.254", // AWS, Azure, GCP and others
		"fd00:ec2::254",   // AWS over IPv6
		"100.100.100.200", // Alibaba Cloud
		"168.63.129.16",   // the wire server of Azure
		"192.0.0.192":     // Oracle Cloud
		return true
	}
	return false
}

// embeddedIPv4 returns the IPv4 address that an IPv6 address stands for: under the
// prefixes of NAT64 (RFC 6052, RFC 8215) and 6to4 (RFC 3056), and as the deprecated
// "IPv4-compatible" address.
func embeddedIPv4(addr netip.Addr) netip.Addr {
	if !addr.Is6() {
		return netip.Addr{}
	}
	b := addr.As16()
	last := netip.AddrFrom4([4]byte(b[12:]))
	switch {
	case [12]byte(b[:12]) == [12]byte{0, 0x64, 0xff, 0x9b}, [6]byte(b[:6]) == [6]byte{0, 0x64, 0xff, 0x9b, 0, 1}, [12]byte(b[:12]) == [12]byte{}:
		return last
	case b[0] == 0x20 && b[1] == 0x02:
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return netip.Addr{}
}
