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

package resource_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
)

const pods = `"apiVersion": "v1", "kind": "Pod"`

func TestNew_Diagnostics(t *testing.T) {
	for _, tc := range []struct{ name, properties, want string }{
		{"least", `{` + pods + `}`, ``},
		{"everything", `{` + pods + `, "namespace": "a", "matchingLabels": {"a": "b"}, "labelSelector": {"matchLabels": {"c": "d"},
			"matchExpressions": [{"key": "e", "operator": "In", "values": ["f", "g"]}]}, "fieldSelector": "metadata.name=a,status.phase!=Running",
			"events": ["sync"], "clusters": ["local"]}`, ``},
		{"empty lists", `{` + pods + `, "events": [], "clusters": []}`, ``},
		{"nothing", `{}`, "apiVersion: is required: string\nkind: is required: string"},
		{"bad group", `{"apiVersion": "a/b/c", "kind": "Pod"}`,
			`apiVersion: must be "version" or "group/version", such as "v1" or "apps/v1", not "a/b/c"`},
		{"empty names", `{"apiVersion": "", "kind": ""}`,
			"apiVersion: must be \"version\" or \"group/version\", such as \"v1\" or \"apps/v1\", not \"\"\n" +
				"kind: must be the name of a kind, such as \"Deployment\", not \"\""},
		{"kind as a path", `{"apiVersion": "v1", "kind": "v1/Pod"}`,
			`kind: must be the name of a kind, such as "Deployment", not "v1/Pod"`},
		{"unknown event", `{` + pods + `, "events": ["create", "updated"]}`,
			`events[1]: must be one of "create", "update", "delete", "sync", not "updated"; did you mean "update"?`},
		{"cluster", `{` + pods + `, "clusters": ["local", "prod/eu"]}`,
			`clusters[1]: invalid cluster name "prod/eu": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`},
		{"labels of clusters", `{` + pods + `, "clusterSelector": {"matchLabels": {"a b": "c"}}}`,
			`clusterSelector.matchLabels: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`},
		{"unknown field", `{` + pods + `, "matchLabels": {"a": "b"}}`, `matchLabels: unknown field; did you mean "matchingLabels"?`},
		{"namespace", `{` + pods + `, "namespace": "A_b"}`,
			`namespace: invalid name "A_b": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`},
		{"operator", `{` + pods + `, "labelSelector": {"matchExpressions": [{"key": "a", "operator": "in", "values": ["b"]}]}}`,
			`labelSelector.matchExpressions[0].operator: must be one of "In", "NotIn", "Exists", "DoesNotExist", not "in"; did you mean "In"?`},
		{"values missing", `{` + pods + `, "labelSelector": {"matchExpressions": [{"key": "a", "operator": "NotIn"}]}}`,
			"labelSelector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'"},
		{"field selector", `{` + pods + `, "fieldSelector": "metadata.name"}`,
			`fieldSelector: invalid selector: 'metadata.name'; can't understand 'metadata.name'`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, list := compile(t, tc.properties)
			if diff := cmp.Diff(tc.want, list.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNew_InvalidLabels(t *testing.T) {
	_, list := compile(t, `{`+pods+`, "matchingLabels": {"a b": "c"}, "labelSelector": {"matchLabels": {"d": "e f"}}}`)
	var paths []string
	for _, p := range list {
		paths = append(paths, p.Path)
	}
	if diff := cmp.Diff([]string{"matchingLabels", "labelSelector.matchLabels"}, paths); diff != "" {
		t.Error(diff, list)
	}
}

func TestSubscription_Key(t *testing.T) {
	const full = `{` + pods + `, "namespace": "n", "matchingLabels": {"a": "1", "b": "2"}, "fieldSelector": "metadata.name=x,metadata.namespace=n"}`
	for _, tc := range []struct {
		name, one, other string
		same             bool
	}{
		{"events", `{` + pods + `, "events": ["sync"]}`, `{` + pods + `, "events": ["update", "delete"]}`, true},
		{"order of selectors", full, `{` + pods + `, "namespace": "n", "labelSelector": {"matchLabels": {"b": "2", "a": "1"}}, "fieldSelector": "metadata.namespace=n,metadata.name=x"}`, true},
		{"order of values",
			`{` + pods + `, "labelSelector": {"matchExpressions": [{"key": "b", "operator": "In", "values": ["2", "1"]}]}}`,
			`{` + pods + `, "labelSelector": {"matchExpressions": [{"key": "b", "operator": "In", "values": ["1", "2"]}]}}`, true},
		{"kind", `{` + pods + `}`, `{"apiVersion": "v1", "kind": "Node"}`, false},
		{"version", `{` + pods + `}`, `{"apiVersion": "v2", "kind": "Pod"}`, false},
		{"namespace", `{` + pods + `}`, `{` + pods + `, "namespace": "a"}`, false},
		{"labels", `{` + pods + `}`, `{` + pods + `, "matchingLabels": {"a": "b"}}`, false},
		{"fields", `{` + pods + `}`, `{` + pods + `, "fieldSelector": "metadata.name=a"}`, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			one, p := compile(t, tc.one)
			other, q := compile(t, tc.other)
			if p.Err() != nil || q.Err() != nil {
				t.Fatal(p, q)
			}
			if (one.Key() == other.Key()) != tc.same {
				t.Errorf("%s and %s", one.Key(), other.Key())
			}
		})
	}
}

func TestSubscription_EventTypes(t *testing.T) {
	for _, tc := range []struct {
		properties string
		want       []string
	}{
		{`{` + pods + `}`, []string{event.Create, event.Update, event.Delete}},
		{`{` + pods + `, "events": []}`, []string{event.Create, event.Update, event.Delete}},
		{`{` + pods + `, "events": ["sync", "delete"]}`, []string{event.Delete, event.Sync}},
	} {
		s, list := compile(t, tc.properties)
		if list.Err() != nil {
			t.Fatal(list)
		}
		var got []string
		for _, kind := range []string{event.Create, event.Update, event.Delete, event.Sync} {
			if s.Skip(event.Event{Type: kind}, source.Delivery{}) == "" {
				got = append(got, kind)
			}
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: %s", tc.properties, diff)
		}
	}
}

func TestSubscription_Skip(t *testing.T) {
	shop, other := event.TriggerRef{Name: "shop"}, event.TriggerRef{Name: "other"}
	data, label := source.Path{"data"}, source.Path{"metadata", "labels", "a/b"}
	for _, tc := range []struct {
		name     string
		kind     string
		delivery source.Delivery
		want     source.Reason
	}{
		{"nothing is known", event.Update, source.Delivery{}, ""},
		{"one of two is the same", event.Update, source.Delivery{Unchanged: []string{data.String()}}, ""},
		{"both are the same", event.Update, source.Delivery{Unchanged: []string{"spec", label.String(), data.String()}}, source.NoChange},
		{"no update", event.Create, source.Delivery{Unchanged: []string{label.String(), data.String()}}, ""},
		{"another type", event.Sync, source.Delivery{}, source.NotSubscribed},
		{"for this one", event.Delete, source.Delivery{Triggers: []event.TriggerRef{other, shop}}, ""},
		{"for another one", event.Delete, source.Delivery{Triggers: []event.TriggerRef{other}}, source.BeforeStart},
		{"for none", event.Delete, source.Delivery{Triggers: []event.TriggerRef{}}, source.BeforeStart},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, list := resource.New(resource.Options{}).Compile(map[string]any{"apiVersion": "v1", "kind": "Pod"},
				source.Spec{TriggerRef: shop, OnChange: []source.Path{data, label}})
			if list.Err() != nil {
				t.Fatal(list)
			}
			if got := s.Skip(event.Event{Type: tc.kind}, tc.delivery); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// FuzzProperties checks that properties yield either diagnostics or a subscription, and
// that compiling them again yields the same key.
func FuzzProperties(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{` + pods + `}`, `{"apiVersion": "a/b/c", "kind": 1}`,
		`{` + pods + `, "matchingLabels": {"a": "b"}, "labelSelector": {"matchExpressions": [{"key": "e", "operator": "In", "values": ["f"]}]}}`,
		`{` + pods + `, "fieldSelector": "a=b,c!=d\\,e", "events": ["sync"], "clusters": ["local"]}`,
		`{` + pods + `, "labelSelector": null, "namespace": "a/b?labels=c"}`,
	} {
		f.Add(seed)
	}
	compile := resource.New(resource.Options{}).Compile
	f.Fuzz(func(t *testing.T, text string) {
		var properties map[string]any
		if json.Unmarshal([]byte(text), &properties) != nil {
			return
		}
		s, list := compile(properties, source.Spec{})
		if (s == nil) == (len(list) == 0) {
			t.Fatalf("subscription %v, diagnostics %v", s, list)
		}
		if s == nil {
			return
		}
		again, _ := compile(properties, source.Spec{})
		if s.Key() != again.Key() {
			t.Errorf("key %q, then %q", s.Key(), again.Key())
		}
	})
}

func compile(t *testing.T, text string) (source.Subscription, diag.List) {
	t.Helper()
	return compileSpec(t, text, source.Spec{})
}

func compileSpec(t *testing.T, text string, spec source.Spec) (source.Subscription, diag.List) {
	t.Helper()
	var properties map[string]any
	if err := json.Unmarshal([]byte(text), &properties); err != nil {
		t.Fatal(err)
	}
	return resource.New(resource.Options{}).Compile(properties, spec)
}
