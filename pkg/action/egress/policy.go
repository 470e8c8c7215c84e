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
// default it denies loopback, link-local and multicast addresses, and the metadata
// services of clouds.
//
// The policy checks the resolved address of each connection, so that neither redirects
// nor DNS rebinding can bypass it. Proxies are not used, because a proxy would hide
// the address.
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

// AddressPolicy decides which addresses actions can connect to. The zero value denies
// loopback, unspecified, link-local, multicast and broadcast addresses and the metadata
// services of clouds, and allows all others. It is safe for concurrent use.
type AddressPolicy struct {
	// Allow lists addresses that are allowed although they are denied by default.
	Allow []netip.Prefix
	// Resolver resolves host names. Defaults to net.DefaultResolver.
	Resolver *net.Resolver
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

// ParseAllow parses a list of IP addresses and prefixes, such as "127.0.0.1" and
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
			return nil, fmt.Errorf("invalid address %q: must be an IP address or a prefix such as 10.0.0.0/8", text)
		}
		out = append(out, prefix.Masked())
	}
	return out, nil
}

// Check returns a DeniedAddressError if the policy denies addr.
func (p AddressPolicy) Check(addr netip.Addr) error {
	addr = addr.Unmap().WithZone("")
	kind := deniedKind(addr)
	if kind == "" {
		return nil
	}
	for _, prefix := range p.Allow {
		if prefix.Contains(addr) {
			return nil
		}
	}
	return &DeniedAddressError{Addr: addr, Kind: kind}
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

// deniedKind describes an address that is denied by default; "" if addr is not.
func deniedKind(addr netip.Addr) string {
	switch {
	case addr.IsLoopback():
		return "loopback address"
	case addr.IsUnspecified() || addr.Is4() && addr.As4()[0] == 0:
		return "unspecified address"
	case addr.IsMulticast() || addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "multicast or broadcast address"
	case isMetadata(addr):
		return "cloud metadata service"
	case addr.IsLinkLocalUnicast():
		return "link-local address"
	}
	if inner := embeddedIPv4(addr); inner.IsValid() {
		return deniedKind(inner)
	}
	return ""
}

// isMetadata reports whether addr is the instance metadata service of a cloud.
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

// embeddedIPv4 returns the IPv4 address in an IPv6 address of NAT64 (RFC 6052, RFC 8215)
// or 6to4 (RFC 3056), or in a deprecated "IPv4-compatible" address.
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
