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

// Package egress sends requests of actions to servers other than the API server. By
// default it denies the machine's own, loopback, link-local and multicast addresses,
// and the metadata services of clouds.
//
// The policy checks the resolved address of each connection, so that neither redirects
// nor DNS rebinding can bypass it. Proxies are not used, because a proxy would hide
// the address. Libraries for this purpose, such as code.dny.dev/ssrf, deny private
// networks as a whole, in which the Services of a cluster are.
package egress

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"
)

// AddressPolicy decides which addresses actions can connect to. The zero value denies
// the addresses in the table of this package and those of the machine's own network
// interfaces, and allows all others. It is safe for concurrent use.
type AddressPolicy struct {
	// Allow lists addresses that are allowed although they are denied by default.
	Allow []netip.Prefix
	// Deny lists addresses that are denied in addition. It has priority over Allow.
	Deny []netip.Prefix
	// DenyPrivate also denies private networks (RFC 1918, RFC 4193) and the shared
	// address space (RFC 6598), except what Allow lists.
	DenyPrivate bool
	// Resolver resolves host names. Defaults to net.DefaultResolver.
	Resolver *net.Resolver
	// Interfaces returns the addresses of the machine. Defaults to net.InterfaceAddrs.
	Interfaces func() ([]net.Addr, error)
}

// DeniedAddressError is returned for a connection that the policy denies.
type DeniedAddressError struct {
	Addr netip.Addr
	// Kind describes the address, such as "loopback address".
	Kind string
}

func (e *DeniedAddressError) Error() string {
	return fmt.Sprintf("connection to %s denied: %s", e.Addr, e.Kind)
}

// ParsePrefixes parses a list of IP addresses and prefixes, such as "127.0.0.1" and
// "169.254.0.0/16".
func ParsePrefixes(list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, text := range list {
		text = strings.TrimSpace(text)
		if addr, err := netip.ParseAddr(text); err == nil {
			out = append(out, netip.PrefixFrom(addr.Unmap().WithZone(""), addr.Unmap().BitLen()))
			continue
		}
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("invalid address %q: must be an IP address or a prefix such as 10.0.0.0/8", text)
		}
		out = append(out, prefix.Masked())
	}
	return out, nil
}

// Check returns a DeniedAddressError if the policy denies addr, or an IPv4 address that
// is embedded in it.
func (p AddressPolicy) Check(addr netip.Addr) error {
	addr = addr.Unmap().WithZone("")
	candidates := append([]netip.Addr{addr}, embeddedIPv4(addr)...)
	for _, a := range candidates {
		if contains(p.Deny, a) {
			return &DeniedAddressError{Addr: addr, Kind: "denied by --deny-address"}
		}
	}
	if contains(p.Allow, addr) {
		return nil
	}
	for _, a := range candidates {
		kind, err := p.deniedKind(a)
		if err != nil {
			return err
		}
		if kind != "" {
			return &DeniedAddressError{Addr: addr, Kind: kind}
		}
	}
	return nil
}

// deniedKind describes an address that is denied by default; "" if addr is not.
func (p AddressPolicy) deniedKind(addr netip.Addr) (string, error) {
	for _, r := range deniedRanges() {
		if r.prefix.Contains(addr) {
			return r.kind, nil
		}
	}
	if p.DenyPrivate {
		for _, prefix := range privateRanges() {
			if prefix.Contains(addr) {
				return "private address", nil
			}
		}
	}
	interfaces := p.Interfaces
	if interfaces == nil {
		interfaces = net.InterfaceAddrs
	}
	own, err := interfaces()
	if err != nil {
		return "", fmt.Errorf("addresses of the machine: %w", err)
	}
	for _, a := range own {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().Unmap().WithZone("") == addr {
			return "address of this machine", nil
		}
	}
	return "", nil
}

func contains(prefixes []netip.Prefix, addr netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// Dial connects to address, as net.Dialer.DialContext does.
func (p AddressPolicy) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{
		Timeout:  dialTimeout,
		Resolver: p.Resolver,
		Control: func(_, resolved string, _ syscall.RawConn) error {
			addr, err := netip.ParseAddrPort(resolved)
			if err != nil {
				return fmt.Errorf("address %q: %w", resolved, err)
			}
			return p.Check(addr.Addr())
		},
	}
	return d.DialContext(ctx, network, address)
}

// dialTimeout limits connecting and the TLS handshake, each.
const dialTimeout = 5 * time.Second
