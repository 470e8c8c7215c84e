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

package egress_test

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/action/egress"
)

// interfaces are the addresses of a machine.
func interfaces() ([]net.Addr, error) {
	return []net.Addr{
		&net.IPNet{IP: net.IPv4(203, 0, 113, 77), Mask: net.CIDRMask(24, 32)},
		&net.IPNet{IP: net.ParseIP("2001:db8::77"), Mask: net.CIDRMask(64, 128)},
	}, nil
}

// TestAddressPolicy_Check denies special addresses in all notations, and no others.
func TestAddressPolicy_Check(t *testing.T) {
	for addr, kind := range map[string]string{
		"127.0.0.1":                    "loopback",
		"127.255.255.254":              "loopback",
		"::1":                          "loopback",
		"::ffff:127.0.0.1":             "loopback",
		"64:ff9b::7f00:1":              "loopback",
		"64:ff9b:1::7f00:1":            "loopback",
		"2002:7f00:1::":                "loopback",
		"::127.0.0.1":                  "loopback",
		"0.0.0.0":                      "unspecified",
		"0.1.2.3":                      "unspecified",
		"::":                           "unspecified",
		"169.254.0.1":                  "link-local",
		"fe80::1":                      "link-local",
		"fe80::1%eth0":                 "link-local",
		"169.254.169.254":              "metadata",
		"::ffff:169.254.169.254":       "metadata",
		"64:ff9b::a9fe:a9fe":           "metadata",
		"fd00:ec2::254":                "metadata",
		"100.100.100.200":              "metadata",
		"168.63.129.16":                "metadata",
		"192.0.0.192":                  "metadata",
		"224.0.0.1":                    "multicast",
		"ff02::1":                      "multicast",
		"255.255.255.255":              "broadcast",
		"10.0.0.1":                     "",
		"192.168.1.1":                  "",
		"fd00::1":                      "",
		"203.0.113.1":                  "",
		"2001:db8::1":                  "",
		"64:ff9b::203.0.113.1":         "",
		"169.255.0.1":                  "",
		"2002:cb00:7101::1":            "",
		"::ffff:203.0.113.1":           "",
		"100.100.100.201":              "",
		"fd00:ec3::254":                "",
		"fd00:ec2::23":                 "metadata",
		"fd20:ce::254":                 "metadata",
		"fd00:c1::a9fe:a9fe":           "metadata",
		"fd00:42::42":                  "metadata",
		"fd00:a9fe:a9fe::1":            "metadata",
		"fd00:100::100:200":            "metadata",
		"fd00:42::43":                  "",
		"::ffff:0:127.0.0.1":           "loopback",
		"::ffff:0:203.0.113.1":         "",
		"2001:0:7f00:1::":              "loopback", // Teredo server
		"2001::80ff:fffe":              "loopback", // Teredo client
		"2001::5601:5601":              "metadata", // 169.254.169.254, inverted
		"2001:0:cb00:7101::":           "broadcast",
		"2001:0:cb00:7101::1:1":        "",
		"2001:db8::5efe:127.0.0.1":     "loopback",
		"2001:db8::200:5efe:a9fe:a9fe": "metadata",
		"2001:db8::5efe:203.0.113.1":   "",
		"fec0::1":                      "site-local",
		"64:ff9b:1:7f00:0:100::":       "loopback", // the /48 form
		"203.0.113.77":                 "this machine",
		"2001:db8::77":                 "this machine",
		"64:ff9b::203.0.113.77":        "this machine",
		"64:ff9b:1:1::203.0.113.1":     "",
	} {
		err := egress.AddressPolicy{Interfaces: interfaces}.Check(netip.MustParseAddr(addr))
		if (err != nil) != (kind != "") || err != nil && !strings.Contains(err.Error(), kind) {
			t.Errorf("%s: got %v, want %q", addr, err, kind)
		}
	}
}

func TestParsePrefixes(t *testing.T) {
	allow, err := egress.ParsePrefixes([]string{"127.0.0.1", " ::ffff:169.254.169.254", "fe80::/10"})
	if err != nil {
		t.Fatal(err)
	}
	p := egress.AddressPolicy{Allow: allow}
	for addr, allowed := range map[string]bool{"127.0.0.1": true, "127.0.0.2": false, "169.254.169.254": true, "fe80::1": true, "::1": false} {
		if err := p.Check(netip.MustParseAddr(addr)); (err == nil) != allowed {
			t.Errorf("%s: %v", addr, err)
		}
	}
	for _, invalid := range []string{"", "localhost", "10.0.0.0/33"} {
		if _, err := egress.ParsePrefixes([]string{invalid}); err == nil {
			t.Errorf("%q is accepted", invalid)
		}
	}
}

func TestAddressPolicy_Deny(t *testing.T) {
	parse := func(list ...string) []netip.Prefix {
		prefixes, err := egress.ParsePrefixes(list)
		if err != nil {
			t.Fatal(err)
		}
		return prefixes
	}
	p := egress.AddressPolicy{
		Interfaces: interfaces, DenyPrivate: true,
		Deny: parse("203.0.113.0/25", "10.1.0.0/16"), Allow: parse("10.0.0.0/8", "127.0.0.1", "203.0.113.1", "203.0.113.77"),
	}
	for addr, denied := range map[string]string{
		"203.0.113.1":          "--deny-address",
		"203.0.113.77":         "--deny-address",
		"64:ff9b::203.0.113.1": "--deny-address",
		"203.0.113.200":        "",
		"10.1.2.3":             "--deny-address",
		"10.2.2.3":             "",
		"192.168.0.1":          "private",
		"172.31.0.1":           "private",
		"172.32.0.1":           "",
		"100.64.0.1":           "private",
		"fd00::1":              "private",
		"2002:c0a8:1::":        "private",
		"127.0.0.1":            "",
		"127.0.0.2":            "loopback",
		"64:ff9b::127.0.0.1":   "loopback",
	} {
		err := p.Check(netip.MustParseAddr(addr))
		if (err != nil) != (denied != "") || err != nil && !strings.Contains(err.Error(), denied) {
			t.Errorf("%s: got %v, want %q", addr, err, denied)
		}
	}
}

// FuzzAddressPolicy_Check denies an IPv4 address in all its embeddings, or in none.
func FuzzAddressPolicy_Check(f *testing.F) {
	for _, seed := range []uint32{0, 0x7f000001, 0xa9fea9fe, 0x0a000001, 0xcb00714d, 0xe0000001, 0xffffffff, 0x08080808} {
		f.Add(seed, uint64(seed))
	}
	f.Fuzz(func(t *testing.T, v4 uint32, rest uint64) {
		b := [4]byte{byte(v4 >> 24), byte(v4 >> 16), byte(v4 >> 8), byte(v4)}
		p := egress.AddressPolicy{Interfaces: interfaces}
		plain := p.Check(netip.AddrFrom4(b))
		if plain == nil {
			return
		}
		hi, lo := uint16(v4>>16), uint16(v4)
		if b[0] == 0 {
			return // means "no address" in some embeddings
		}
		for _, text := range []string{
			fmt.Sprintf("::ffff:%x:%x", hi, lo),
			fmt.Sprintf("::ffff:0:%x:%x", hi, lo),
			fmt.Sprintf("64:ff9b::%x:%x", hi, lo),
			fmt.Sprintf("64:ff9b:1:%x:%x:%x:%x:%x", uint16(rest), uint16(rest>>16), uint16(rest>>32), hi, lo),
			fmt.Sprintf("2002:%x:%x::%x", hi, lo, uint16(rest)),
			fmt.Sprintf("2001:0:%x:%x:%x:%x:%x:%x", hi, lo, uint16(rest), uint16(rest>>16), uint16(rest>>32), uint16(rest>>48)),
			fmt.Sprintf("2001:0:%x:%x:%x:%x:%x:%x", uint16(rest), uint16(rest>>16), uint16(rest>>32), uint16(rest>>48), ^hi, ^lo),
			fmt.Sprintf("2001:db8:%x:%x:0:5efe:%x:%x", uint16(rest), uint16(rest>>16), hi, lo),
			fmt.Sprintf("2001:db8:%x:%x:200:5efe:%x:%x", uint16(rest), uint16(rest>>16), hi, lo),
		} {
			if p.Check(netip.MustParseAddr(text)) == nil {
				t.Errorf("%s is denied and %s is not", netip.AddrFrom4(b), text)
			}
		}
	})
}
