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

package egress

import "net/netip"

// deniedRange is a range of addresses that is denied by default.
type deniedRange struct {
	prefix netip.Prefix
	kind   string
}

// deniedRanges returns the ranges that are denied by default, the specific before the
// general ones. The sources of the special-purpose ranges are the registries of IANA
// (RFC 6890) and the RFCs beside them; those of the metadata services are the
// documentation of the clouds.
func deniedRanges() []deniedRange {
	const (
		loopback    = "loopback address"
		unspecified = "unspecified address"
		linkLocal   = "link-local address"
		multicast   = "multicast or broadcast address"
		metadata    = "cloud metadata service"
	)
	r := func(prefix, kind string) deniedRange {
		return deniedRange{prefix: netip.MustParsePrefix(prefix), kind: kind}
	}
	return []deniedRange{
		r("169.254.169.254/32", metadata),     // AWS, Azure, Google Cloud and others
		r("100.100.100.200/32", metadata),     // Alibaba Cloud
		r("168.63.129.16/32", metadata),       // Azure, the wire server
		r("192.0.0.192/32", metadata),         // Oracle Cloud, classic
		r("fd00:ec2::/32", metadata),          // AWS: metadata (::254), pod identity (::23), DNS and time
		r("fd20:ce::254/128", metadata),       // Google Cloud
		r("fd00:c1::a9fe:a9fe/128", metadata), // Oracle Cloud
		r("fd00:42::42/128", metadata),        // Scaleway
		r("fd00:a9fe:a9fe::1/128", metadata),  // Akamai
		r("fd00:100::100:200/128", metadata),  // Alibaba Cloud

		r("0.0.0.0/8", unspecified),          // "this network", RFC 1122
		r("::/128", unspecified),             // RFC 4291
		r("127.0.0.0/8", loopback),           // RFC 1122
		r("::1/128", loopback),               // RFC 4291
		r("169.254.0.0/16", linkLocal),       // RFC 3927
		r("fe80::/10", linkLocal),            // RFC 4291
		r("fec0::/10", "site-local address"), // deprecated, RFC 3879
		r("224.0.0.0/4", multicast),          // RFC 5771
		r("ff00::/8", multicast),             // RFC 4291
		r("255.255.255.255/32", multicast),   // RFC 919
	}
}

// privateRanges returns the ranges that AddressPolicy.DenyPrivate denies.
func privateRanges() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
		netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("fc00::/7"),
	}
}

// embeddedIPv4 returns the IPv4 addresses that a translator or a tunnel may take from
// an IPv6 address.
func embeddedIPv4(addr netip.Addr) []netip.Addr {
	if !addr.Is6() {
		return nil
	}
	b := addr.As16()
	v4 := func(a, b, c, d byte) netip.Addr { return netip.AddrFrom4([4]byte{a, b, c, d}) }
	last := v4(b[12], b[13], b[14], b[15])
	var out []netip.Addr
	// 0.0.0.0/8 at a place that need not hold an address means that there is none.
	maybe := func(a, b, c, d byte) {
		if a != 0 {
			out = append(out, v4(a, b, c, d))
		}
	}
	in := func(prefix string) bool { return netip.MustParsePrefix(prefix).Contains(addr) }
	switch {
	case in("::/96"), // IPv4-compatible, deprecated, RFC 4291
		in("::ffff:0:0:0/96"), // IPv4-translated, RFC 2765
		in("64:ff9b::/96"):    // NAT64, RFC 6052
		out = append(out, last)
	case in("64:ff9b:1::/48"): // NAT64 of a network, RFC 8215, in each form of RFC 6052
		maybe(b[12], b[13], b[14], b[15])
		maybe(b[9], b[10], b[11], b[12])
		maybe(b[7], b[9], b[10], b[11])
		maybe(b[6], b[7], b[9], b[10])
	case in("2002::/16"): // 6to4, RFC 3056
		out = append(out, v4(b[2], b[3], b[4], b[5]))
	case in("2001::/32"): // Teredo, RFC 4380: the server, and the client with inverted bits
		maybe(b[4], b[5], b[6], b[7])
		maybe(^b[12], ^b[13], ^b[14], ^b[15])
	}
	// ISATAP, RFC 5214: an interface identifier in any network.
	if (b[8] == 0 || b[8] == 2) && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe {
		out = append(out, last)
	}
	return out
}
