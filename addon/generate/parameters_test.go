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

package main

import (
	"strings"
	"testing"

	"cuelang.org/go/cue"
)

// TestParameters renders the addon's Application with parameters.
func TestParameters(t *testing.T) {
	const (
		policy, clientCA, auth = `"kind":"NetworkPolicy"`, "--webhook-client-ca=/etc/kube-trigger/client-ca/ca.crt", "--metrics-auth"
		admission              = `"kind":"ValidatingAdmissionPolicy"`
		bump                   = `"resources":["applications"],"verbs":["get","list","watch","patch"]`
	)
	for _, tt := range []struct {
		parameters    string
		want, exclude []string
	}{
		{"", []string{`"--metrics-addr=:8080"`, admission, bump}, []string{policy, clientCA, `"` + auth + `"`, "client-ca", `"name":"kube-trigger-metrics"`}},
		{"policies: enabled: false", []string{`"resources":["applications"],"verbs":["get","list","watch"]`}, []string{admission, bump}},
		{"definitionsOnly: true", nil, []string{admission}},
		{"", nil, []string{"--lockdown"}},
		{"", nil, []string{"--bump-clusters", `"kind":"Namespace"`, "clustergateways/proxy", `"name":"kube-trigger-clusters"`}},
		{
			`bumpClusters: ["edge", "eu-1"]`,
			[]string{
				`"--bump-clusters=edge,eu-1"`, `"kind":"Namespace","metadata":{"name":"vela-kube-trigger"`,
				`"resources":["virtualclusters","clustergateways/proxy"],"resourceNames":["edge","eu-1"],"verbs":["get"]`,
				`{"kind":"ServiceAccount","name":"kube-trigger","namespace":"vela-kube-trigger"}`, `"dependsOn":["kube-trigger-policies","kube-trigger-clusters"]`,
			}, nil,
		},
		{"", []string{`"name":"kube-trigger-limited-rights","type":"k8s-objects"`}, []string{"kube-trigger-any-rights"}},
		{"trait: anyRights: true", []string{`"name":"kube-trigger-any-rights","type":"k8s-objects"`}, []string{"kube-trigger-limited-rights"}},
		{
			`lockdown: {defaultAccount: true, noClusters: true, noPrivateEgress: true, forbiddenAccounts: ["admin", "team-a/deployer"], maxTriggers: 10, maxTriggerServices: 20}`,
			[]string{
				`"--lockdown-default-account"`, `"--lockdown-no-clusters"`, `"--lockdown-no-private-egress"`,
				`"--lockdown-forbidden-accounts=admin,team-a/deployer"`, `"--lockdown-max-triggers=10"`, `"--lockdown-max-trigger-services=20"`,
			}, nil,
		},
		{"networkPolicy: enabled: true", []string{policy, `"values":["monitoring"]`}, []string{`"port":9443`, `"port":8090`}},
		{
			`networkPolicy: {enabled: true, workerNamespaces: ["team-a"], scraperNamespaces: ["prometheus"], apiServer: ["10.0.0.1/32"]}, webhook: enabled: true`,
			[]string{policy, `"namespace":"team-a"`, `"values":["prometheus"]`, `"port":9443`, `"port":8090`, `"ipBlock":{"cidr":"10.0.0.1/32"}`}, nil,
		},
		{`webhook: {enabled: true, clientCASecret: "apiserver"}`, []string{clientCA, `"secretName":"apiserver"`, `"mountPath":"/etc/kube-trigger/client-ca"`}, nil},
		{
			`monitoring: {podMonitor: true, auth: {enabled: true, workerNamespaces: ["team-a"]}}`,
			[]string{`"` + auth + `"`, `"authorization":{"credentials":{"name":"kube-trigger-metrics","key":"token"}}`, `"name":"kube-trigger-worker","namespace":"team-a"`, "system:auth-delegator"}, nil,
		},
	} {
		v, err := load("..", tt.parameters)
		if err != nil {
			t.Fatalf("%s: %v", tt.parameters, err)
		}
		text, err := v.LookupPath(cue.ParsePath("output")).MarshalJSON()
		if err != nil {
			t.Fatalf("%s: %v", tt.parameters, err)
		}
		for _, want := range tt.want {
			if !strings.Contains(string(text), want) {
				t.Errorf("parameters %s: got no %s", tt.parameters, want)
			}
		}
		for _, exclude := range tt.exclude {
			if strings.Contains(string(text), exclude) {
				t.Errorf("parameters %s: got %s, want none", tt.parameters, exclude)
			}
		}
	}
}
