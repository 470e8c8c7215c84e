//go:build kubevela

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

package vela_test

import (
	"strings"
	"testing"
)

// renderParameters tests the objects that the addon renders with different parameters.
func renderParameters(t *testing.T, k env) {
	for _, test := range []struct {
		parameters    string
		want, exclude []string
	}{
		{"", []string{"name: kube-trigger-controller", "name: kube-trigger-worker", "kind: ValidatingAdmissionPolicy"}, []string{"PodMonitor", "type: topology", "--webhook-addr=:9443", "ValidatingWebhookConfiguration", "NetworkPolicy", "- --metrics-auth"}},
		{"definitionsOnly=true", []string{"name: kube-trigger-crds", "trigger-action-log"}, []string{"name: kube-trigger-controller"}},
		{"policies.enabled=false", nil, []string{"kind: ValidatingAdmissionPolicy"}},
		{"trait.anyRights=false", []string{"_anyRights: false"}, []string{"_anyRights: true"}},
		{"trait.anyRights=true", []string{"_anyRights: true"}, []string{"_anyRights: false"}},
		{"lockdown.noClusters=true lockdown.forbiddenAccounts={admin,team-a/own} lockdown.maxTriggers=5", []string{"- --lockdown-no-clusters", "- --lockdown-forbidden-accounts=admin,team-a/own", "- --lockdown-max-triggers=5"}, []string{"--lockdown-default-account"}},
		{"clusters={local,edge}", []string{"type: topology", "- edge"}, nil},
		{"monitoring.podMonitor=true", []string{"kind: PodMonitor"}, nil},
		{"webhook.enabled=true webhook.failurePolicy=Fail", []string{"--webhook-addr=:9443", "kind: ValidatingWebhookConfiguration", "failurePolicy: Fail"}, nil},
		{"networkPolicy.enabled=true networkPolicy.workerNamespaces={team-a}", []string{"kind: NetworkPolicy", "namespace: team-a"}, nil},
		{"monitoring.auth.enabled=true", []string{"- --metrics-auth", "name: kube-trigger-metrics"}, nil},
		{"image=registry.example.com/kube-trigger version=v9.9.9", []string{"--worker-image=registry.example.com/kube-trigger:v9.9.9", "image: registry.example.com/kube-trigger:v9.9.9"}, []string{"ghcr.io/"}},
	} {
		out := k.Vela(t, dryRun(test.parameters)...)
		for _, want := range test.want {
			if !strings.Contains(out, want) {
				t.Errorf("parameters %q: got no %q", test.parameters, want)
			}
		}
		for _, exclude := range test.exclude {
			if strings.Contains(out, exclude) {
				t.Errorf("parameters %q: got %q, want none", test.parameters, exclude)
			}
		}
	}
}

// refuseParameters tests that `vela addon enable` refuses parameters that are unknown or
// wrong, with their name.
func refuseParameters(t *testing.T, k env) {
	for parameters, want := range map[string]string{
		"replicas=-1":                                  `parameter replicas: got -1, want at least 1`,
		"replicas=two":                                 `parameter.replicas: conflicting values `,
		"namespaceWorker.replicas=0":                   `parameter namespaceWorker.replicas: got 0, want at least 1`,
		"lockdown.maxTriggers=-1":                      `parameter lockdown.maxTriggers: got -1, want at least 0`,
		"bumpClusters=edge":                            `parameter.bumpClusters: `,
		"bumpClusters={local}":                         `parameter bumpClusters: got element local, want joined clusters`,
		`bumpClusters={"edge"}`:                        `parameter bumpClusters: got element \"edge\", want elements without quotes and spaces: {one,two}`,
		"bumpClusters={edge} policies.enabled=false":   `parameter bumpClusters: want policies.enabled=true, too`,
		"bumpClusters={edge} lockdown.noClusters=true": `parameter bumpClusters: want lockdown.noClusters=false`,
		"nonsense=1":                                   `parameter.nonsense: field not allowed`,
		"sharedworker.enabled=true":                    `parameter.sharedworker: field not allowed`,
		"resources.cpu.request=1":                      `parameter.resources.cpu.request: field not allowed`,
		"resources.cpu.limits=2":                       `parameter.resources.cpu.limits: conflicting values `,
		"definitionsOnly=yes":                          `parameter.definitionsOnly: conflicting values `,
		"logLevel=loud":                                `parameter.logLevel: `,
		"clusters=edge":                                `parameter.clusters: `,
		`imagePullSecrets={"hub"}`:                     `parameter imagePullSecrets: got element \"hub\", want elements without quotes and spaces: {one,two}`,
		"defaultRole.rules=all":                        `parameter.defaultRole.rules: `,
		`defaultRole.rules[0].apiGroups={""} defaultRole.rules[0].resources={pods} defaultRole.rules[0].verbs={get}`:  `parameter defaultRole.rules[0].apiGroups: got element \"\", want elements without quotes and spaces: {one,two}; leave apiGroups out for the core group`,
		`defaultRole.rules[0].resources={} defaultRole.rules[0].verbs={get}`:                                          `parameter defaultRole.rules[0].resources: got element , want elements without quotes and spaces: {one,two}`,
		`defaultRole.rules[0].resources={pods} defaultRole.rules[0].verbs=get`:                                        `parameter defaultRole.rules[0].verbs: want a list with at least one element: {one,two}`,
		`defaultRole.rules[0].resources={pods}`:                                                                       `parameter defaultRole.rules[0].verbs: missing`,
		`defaultRole.rules[0].resource={pods} defaultRole.rules[0].resources={pods} defaultRole.rules[0].verbs={get}`: `parameter defaultRole.rules[0].resource: unknown field, want apiGroups, resources, resourceNames or verbs`,
	} {
		if out, err := k.TryVela(t, dryRun(parameters)...); err == nil || !strings.Contains(out, want) {
			t.Errorf("parameters %q: got error %v, want %q:\n%s", parameters, err, want, out[max(0, len(out)-1000):])
		}
	}
}

// dryRun returns the arguments of the vela CLI that render the addon with parameters.
func dryRun(parameters string) []string {
	return append([]string{"addon", "enable", addonFolder, "--dry-run"}, strings.Fields(parameters)...)
}
