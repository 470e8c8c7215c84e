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
	"net/netip"
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/action/egress"
)

// TestAddressPolicy_Check denies special addresses in all notations, and no others.
func TestAddressPolicy_Check(t *testing.T) {
	for addr, kind := range map[string]string{
		"127.0.0.1":                "loopback",
		"127.255.255.254":          "loopback",
		"::1":                      "loopback",
		"::ffff:127.0.0.1":         "loopback",
		"64:ff9b::7f00:1":          "loopback",
		"64:ff9b:1::7f00:1":        "loopback",
		"2002:7f00:1::":            "loopback",
		"::127.0.0.1":              "loopback",
		"0.0.0.0":                  "unspecified",
		"0.1.2.3":                  "unspecified",
		"::":                       "unspecified",
		"169.254.0.1":              "link-local",
		"fe80::1":                  "link-local",
		"fe80::1%eth0":             "link-local",
		"169.254.169.254":          "metadata",
		"::ffff:169.254.169.254":   "metadata",
		"64:ff9b::a9fe:a9fe":       "metadata",
		"fd00:ec2::254":            "metadata",
		"100.100.100.200":          "metadata",
		"168.63.129.16":            "metadata",
		"192.0.0.192":              "metadata",
		"224.0.0.1":                "multicast",
		"ff02::1":                  "multicast",
		"255.255.255.255":          "broadcast",
		"10.0.0.1":                 "",
		"192.168.1.1":              "",
		"fd00::1":                  "",
		"203.0.113.1":              "",
		"2001:db8::1":              "",
		"64:ff9b::203.0.113.1":     "",
		"169.255.0.1":              "",
		"2002:cb00:7101::1":        "",
		"::ffff:203.0.113.1":       "",
		"100.100.100.201":          "",
		"fd00:ec2::255":            "",
		"64:ff9b:1:1::203.0.113.1": "",
	} {
		err := egress.AddressPolicy{}.Check(netip.MustParseAddr(addr))
		if (err != nil) != (kind != "") || err != nil && !strings.Contains(err.Error(), kind) {
			t.Errorf("%s: got %v, want %q", addr, err, kind)
		}
	}
}

func TestParseAllow(t *testing.T) {
	allow, err := egress.ParseAllow([]string{"127.0.0.1", " ::ffff:169.254.169.254", "fe80::/10"})
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
		if _, err := egress.ParseAllow([]string{invalid}); err == nil {
			t.Errorf("%q is accepted", invalid)
		}
	}
}
