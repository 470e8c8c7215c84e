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

package lockdown_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/lockdown"
)

// all are rules of every kind.
func all() lockdown.Rules {
	return lockdown.Rules{
		DefaultAccount: true, NoClusters: true, NoPrivateEgress: true,
		ForbiddenAccounts: []string{"admin", "team-a/deployer"}, MaxTriggers: 2, MaxTriggerServices: 3,
	}
}

func TestRules_Check(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		rules lockdown.Rules
		spec  string
		older int
		want  []string
	}{
		"none":            {lockdown.Rules{}, `{serviceAccountName: admin, triggers: [{source: {properties: {clusters: [eu]}}}]}`, 100, nil},
		"allowed":         {all(), `{triggers: [{}, {}]}`, 2, nil},
		"default-account": {all(), `{serviceAccountName: kube-trigger}`, 0, nil},
		"other-account": {all(), `{serviceAccountName: own}`, 0, []string{
			`spec.serviceAccountName: ServiceAccount "own" is not allowed; only the default, "kube-trigger", is`,
		}},
		"forbidden-account": {lockdown.Rules{ForbiddenAccounts: []string{"admin"}}, `{serviceAccountName: admin}`, 0, []string{
			`spec.serviceAccountName: ServiceAccount "admin" is forbidden in namespace "team-a"; use another one`,
		}},
		"forbidden-in-namespace": {lockdown.Rules{ForbiddenAccounts: []string{"team-a/own"}}, `{serviceAccountName: own}`, 0, []string{
			`spec.serviceAccountName: ServiceAccount "own" is forbidden in namespace "team-a"; use another one`,
		}},
		"worker-account": {lockdown.Rules{}, `{serviceAccountName: kube-trigger-worker}`, 0, []string{
			`spec.serviceAccountName: ServiceAccount "kube-trigger-worker" is reserved for workers; use another one`,
		}},
		"forbidden-elsewhere": {lockdown.Rules{ForbiddenAccounts: []string{"team-b/own"}}, `{serviceAccountName: own}`, 0, nil},
		"forbidden-default": {lockdown.Rules{ForbiddenAccounts: []string{"kube-trigger"}}, `{}`, 0, []string{
			`spec.serviceAccountName: ServiceAccount "kube-trigger" is forbidden in namespace "team-a"; use another one`,
		}},
		"triggers": {all(), `{triggers: [{}, {}, {}]}`, 0, []string{"spec.triggers: 3 triggers, but at most 2 are allowed in a TriggerService"}},
		"services": {all(), `{}`, 3, []string{
			`metadata.namespace: namespace "team-a" has 3 older TriggerServices, and at most 3 are allowed; delete one that is not needed`,
		}},
		"clusters": {lockdown.Rules{NoClusters: true}, `{triggers: [
			{source: {properties: {clusters: [local, eu]}}, action: {properties: {cluster: eu}}},
			{source: {properties: {clusterSelector: {}}}, actions: [{}, {properties: {cluster: us}}]}]}`, 0, []string{
			`spec.triggers[0].source.properties.clusters: joined clusters are not allowed: ["local","eu"]`,
			`spec.triggers[0].action.properties.cluster: joined clusters are not allowed: "eu"`,
			`spec.triggers[1].source.properties.clusterSelector: joined clusters are not allowed: {}`,
			`spec.triggers[1].actions[1].properties.cluster: joined clusters are not allowed: "us"`,
		}},
		"own-cluster": {lockdown.Rules{NoClusters: true}, `{triggers: [
			{source: {properties: {clusters: [local]}}, action: {properties: {cluster: local}}},
			{source: {properties: {clusters: [], clusterSelector: null}}, action: {properties: {cluster: ""}}},
			{source: {properties: {clusters: 1, clusterSelector: 2}}, action: {properties: {cluster: 3}}}]}`, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ts := &v1alpha1.TriggerService{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "main"}}
			if err := yaml.UnmarshalStrict([]byte("spec: "+tt.spec), ts); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range tt.rules.Check(ts, tt.older) {
				got = append(got, p.String())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRules_Validate(t *testing.T) {
	t.Parallel()
	if err := all().Validate(); err != nil {
		t.Error(err)
	}
	err := lockdown.Rules{ForbiddenAccounts: []string{"a", "", "a/b/c", "/b", "a/"}, MaxTriggers: -1, MaxTriggerServices: -2}.Validate()
	want := []string{
		`forbidden account "": must be NAME or NAMESPACE/NAME`, `forbidden account "a/b/c": must be NAME or NAMESPACE/NAME`,
		`forbidden account "/b": must be NAME or NAMESPACE/NAME`, `forbidden account "a/": must be NAME or NAMESPACE/NAME`,
		"maximum number of triggers -1: must be 1 or more, or 0 for no limit",
		"maximum number of TriggerServices -2: must be 1 or more, or 0 for no limit",
	}
	if diff := cmp.Diff(want, strings.Split(fmt.Sprint(err), "\n")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRules_WorkerFlags(t *testing.T) {
	t.Parallel()
	if got := (lockdown.Rules{}).WorkerFlags(); got != nil {
		t.Errorf("no rules: got %v, want none", got)
	}
	if diff := cmp.Diff([]string{"--cluster-access=none", "--deny-private"}, all().WorkerFlags()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOlder(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	service := func(name string, after time.Duration) v1alpha1.TriggerService {
		return v1alpha1.TriggerService{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(now.Add(after))}}
	}
	services := []v1alpha1.TriggerService{service("z", 0), service("c", time.Second), service("b", time.Second), service("a", 2*time.Second)}
	for i, want := range []int{0, 2, 1, 3} {
		if got := lockdown.Older(services, &services[i]); got != want {
			t.Errorf("%s: got %d older, want %d", services[i].Name, got, want)
		}
	}
	created := v1alpha1.TriggerService{ObjectMeta: metav1.ObjectMeta{Name: "new"}}
	if got := lockdown.Older(services, &created); got != 4 {
		t.Errorf("new: got %d older, want 4", got)
	}
}
