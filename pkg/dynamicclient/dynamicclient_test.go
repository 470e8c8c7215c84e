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

package dynamicclient_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/dynamicclient"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// clients returns a client of this package and one of client-go.
func clients(t testing.TB, config *rest.Config) (ours, theirs dynamic.Interface) {
	t.Helper()
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	if ours, err = dynamicclient.New(config, httpClient); err != nil {
		t.Fatal(err)
	}
	if theirs, err = dynamic.NewForConfigAndClient(config, httpClient); err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}

// received is an event with what of it has to be equal for both clients.
type received struct {
	Type   watch.EventType
	Object map[string]any
	Status *metav1.Status
}

// next returns the next event of a watch, or false at its end.
func next(t testing.TB, w watch.Interface) (received, bool) {
	t.Helper()
	select {
	case got, ok := <-w.ResultChan():
		if !ok {
			return received{}, false
		}
		out := received{Type: got.Type}
		switch o := got.Object.(type) {
		case *unstructured.Unstructured:
			dropFieldsV1(o.Object)
			out.Object = o.Object
		case *metav1.Status:
			out.Status = o
		default:
			t.Fatalf("unexpected %T", o)
		}
		return out, true
	case <-time.After(20 * time.Second):
		t.Fatal("no event")
	}
	return received{}, false
}

func dropFieldsV1(object map[string]any) {
	managed, _, _ := unstructured.NestedSlice(object, "metadata", "managedFields")
	for _, m := range managed {
		if entry, ok := m.(map[string]any); ok {
			delete(entry, "fieldsV1")
		}
	}
	if managed != nil {
		_ = unstructured.SetNestedSlice(object, managed, "metadata", "managedFields")
	}
}

// TestWatch has a client of each kind watch the same objects of the API server: they get the same
// events.
func TestWatch(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t)
	namespace := c.Namespace(t)
	ours, theirs := clients(t, c.Config)
	for _, kind := range []struct {
		resource  schema.GroupVersionResource
		namespace string
		object    string
	}{
		{schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, namespace, `{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {a: "1", "b": "ü\u2028<&>"}, binaryData: {c: AAEC}}`},
		{schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}, namespace, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, labels: {a: ""}}, spec: {replicas: 2, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: a, resources: {limits: {cpu: 100m}}}]}}}}`},
		{schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}, "", fmt.Sprintf(`{apiVersion: v1, kind: Namespace, metadata: {name: %s-other}}`, namespace)},
	} {
		t.Run(kind.resource.Resource, func(t *testing.T) {
			in := func(client dynamic.Interface) dynamic.ResourceInterface {
				if kind.namespace == "" {
					return client.Resource(kind.resource)
				}
				return client.Resource(kind.resource).Namespace(kind.namespace)
			}
			list, err := in(ours).List(t.Context(), metav1.ListOptions{Limit: 1})
			if err != nil {
				t.Fatal(err)
			}
			object := object(t, kind.object)
			o := metav1.ListOptions{ResourceVersion: list.GetResourceVersion(), AllowWatchBookmarks: true, FieldSelector: "metadata.name=" + object.GetName()}
			watches := [2]watch.Interface{}
			for i, client := range []dynamic.Interface{ours, theirs} {
				if watches[i], err = in(client).Watch(t.Context(), o); err != nil {
					t.Fatal(err)
				}
				defer watches[i].Stop()
			}
			if _, err := in(ours).Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			patch := []byte(`{"metadata":{"annotations":{"number":"1e3"}}}`)
			if _, err := in(ours).Patch(t.Context(), object.GetName(), "application/merge-patch+json", patch, metav1.PatchOptions{}); err != nil {
				t.Fatal(err)
			}
			if err := in(ours).Delete(t.Context(), object.GetName(), metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			for i := range 3 {
				got, _ := next(t, watches[0])
				want, _ := next(t, watches[1])
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("event %d (-client-go +dynamicclient):\n%s", i, diff)
				}
				if i == 0 && got.Type != watch.Added {
					t.Errorf("the first event is %s", got.Type)
				}
			}
		})
	}
}

// TestWatch_Errors checks that what the API server refuses is an error of the same kind as client-go's, which has no
// message.
func TestWatch_Errors(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t)
	namespace := c.Namespace(t)
	forbidden := c.User(namespace + "-without-rights")
	configMaps := schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	for name, test := range map[string]struct {
		config   *rest.Config
		resource schema.GroupVersionResource
		options  metav1.ListOptions
		is       func(error) bool
	}{
		"forbidden":        {forbidden, configMaps, metav1.ListOptions{}, apierrors.IsForbidden},
		"unknown resource": {c.Config, schema.GroupVersionResource{Group: "none.example.com", Version: "v1", Resource: "nones"}, metav1.ListOptions{}, apierrors.IsNotFound},
		"invalid selector": {c.Config, configMaps, metav1.ListOptions{LabelSelector: "a in b"}, apierrors.IsBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := clients(t, test.config)
			_, got := ours.Resource(test.resource).Namespace(namespace).Watch(t.Context(), test.options)
			_, want := theirs.Resource(test.resource).Namespace(namespace).Watch(t.Context(), test.options)
			if !test.is(got) || !test.is(want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
	t.Run("no server", func(t *testing.T) {
		server := httptest.NewServer(http.NotFoundHandler())
		server.Close()
		ours, _ := clients(t, &rest.Config{Host: server.URL})
		if _, err := ours.Resource(configMaps).Watch(t.Context(), metav1.ListOptions{}); err == nil {
			t.Error("no error")
		}
	})
}

// TestWatch_Expired watches from a position that the API server no longer has.
func TestWatch_Expired(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Own())
	list, err := c.Client(t).CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c.Namespace(t)
	c.Expire(t)
	ours, theirs := clients(t, c.Config)
	var got [2]string
	for i, client := range []dynamic.Interface{ours, theirs} {
		w, err := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}).Watch(t.Context(), metav1.ListOptions{ResourceVersion: list.ResourceVersion})
		if err == nil {
			e, _ := next(t, w)
			w.Stop()
			err = apierrors.FromObject(e.Status)
		}
		if !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err) {
			t.Errorf("got %v", err)
		}
		got[i] = err.Error()
	}
	if got[0] != got[1] {
		t.Errorf("got %s, client-go %s", got[0], got[1])
	}
}

func object(t testing.TB, text string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &o.Object); err != nil {
		t.Fatal(err)
	}
	return o
}

// serve returns a client of each kind of a server that answers each watch with text.
func serve(t testing.TB, text string) (ours, theirs dynamic.Interface) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(server.Close)
	return clients(t, &rest.Config{Host: server.URL})
}

// all returns the events of a watch.
func all(t testing.TB, client dynamic.Interface) []received {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	w, err := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "things"}).Watch(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	var out []received
	for {
		got, ok := next(t, w)
		if !ok {
			return out
		}
		out = append(out, got)
	}
}

const thing = `{"type":"ADDED","object":{"apiVersion":"v1","kind":"Thing","metadata":{"name":"a"}}}`

// TestWatch_Streams compares what both clients make of a stream.
func TestWatch_Streams(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"empty":            "",
		"two events":       thing + "\n" + thing,
		"no separator":     thing + thing,
		"spaces":           strings.NewReplacer(":", " : ", ",", " ,\n").Replace(`{"object":{"apiVersion":"v1","kind":"Thing","a":[1,-0,1.5,1e3,9223372036854775807,9223372036854775808,true,false,null,{},[],""]},"type":"MODIFIED"}`),
		"unicode":          `{"type":"ADDED","object":{"apiVersion":"v1","kind":"Thing","a":"\ud83d\ude00\u0000ü\ud83d","é":"` + "\xff" + `"}}`,
		"duplicates":       `{"type":"ADDED","object":{"apiVersion":"v1","kind":"Thing","a":1,"a":2}}`,
		"names in case":    `{"type":"ADDED","object":{"apiVersion":"v1","kind":"Thing","Kind":"x","metadata":{"managedfields":[{"fieldsV1":1}]}}}`,
		"managed fields":   `{"type":"ADDED","object":{"apiVersion":"v1","kind":"Thing","metadata":{"managedFields":[{"manager":"a","time":"b","fieldsV1":{"f:a":{}}}]},"managedFields":[{"fieldsV1":1}],"metadatas":{"managedFields":[{"fieldsV1":1}]}}}`,
		"bookmark":         `{"type":"BOOKMARK","object":{"apiVersion":"v1","kind":"Thing","metadata":{"resourceVersion":"5","creationTimestamp":null}}}`,
		"error":            `{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old resource version: 1 (2)","reason":"Expired","code":410}}`,
		"more fields":      `{"a":[1],"type":"ADDED","object":{"apiVersion":"v1","kind":"Thing"},"z":{}}`,
		"truncated":        thing + thing[:50],
		"truncated text":   thing + `{"type":"ADD`,
		"truncated number": thing + `{"type":"ADDED","object":{"apiVersion":"v1","kind":"Thing","a":12`,
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := serve(t, text)
			if diff := cmp.Diff(all(t, theirs), all(t, ours)); diff != "" {
				t.Errorf("-client-go +dynamicclient:\n%s", diff)
			}
		})
	}
}

// TestWatch_BrokenStreams checks that a stream that is no watch ends with an error that says why.
func TestWatch_BrokenStreams(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"hello":                           "invalid character 'h'",
		`[]`:                              "[ instead of an event",
		`{"type":1}`:                      "number instead of a text",
		`{"type":"GONE","object":{}}`:     "unknown type of event",
		`{"type":"ADDED"}`:                "the object of a ADDED event has no kind",
		`{"type":"ADDED","object":[]}`:    "has no kind",
		`{"type":"ADDED","object":{"a":}`: "missing value after object name",
		`{"type":"ADDED","object":{"apiVersion":"v1","kind":"Thing","a":1e999}}`:                                 "out of range",
		`{"type":"ADDED","object":{"apiVersion":"v1","kind":"Thing","a":"` + strings.Repeat("a", 17<<20) + `"}}`: "an event has more than 16 MiB",
		`{"type":"ADDED","object":{"apiVersion":"v1","kind":"Thing","a":` + strings.Repeat("[", 20_000) + `}}`:   "exceeded max depth",
		`{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","code":"text"}}`:                            "a status: ",
	} {
		t.Run(fmt.Sprintf("%.40s", text), func(t *testing.T) {
			ours, _ := serve(t, thing+text)
			got := all(t, ours)
			if len(got) != 2 || got[0].Type != watch.Added || got[1].Type != watch.Error || got[1].Status == nil || !strings.Contains(got[1].Status.Message, want) {
				t.Errorf("got %+v, want an object and %q", got, want)
			}
		})
	}
}

// TestWatch_Stop ends a watch that waits for the next event.
func TestWatch_Stop(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		w.WriteHeader(http.StatusOK)
		_, _ = io.WriteString(w, thing)
		_ = http.NewResponseController(w).Flush()
		<-q.Context().Done()
	}))
	defer server.Close()
	ours, _ := clients(t, &rest.Config{Host: server.URL})
	w, err := ours.Resource(schema.GroupVersionResource{Version: "v1", Resource: "things"}).Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := next(t, w); !ok || got.Type != watch.Added { // without waiting for what follows
		t.Fatalf("got %+v", got)
	}
	w.Stop()
	if got, ok := next(t, w); ok {
		t.Errorf("got %+v after Stop", got)
	}
}

// BenchmarkWatch decodes ConfigMaps of 4 KiB.
func BenchmarkWatch(b *testing.B) {
	data, owned := map[string]any{}, map[string]any{}
	for i := range 16 {
		data[fmt.Sprint("file-", i)], owned[fmt.Sprint("f:file-", i)] = strings.Repeat("a line of settings\n", 13), map[string]any{}
	}
	text, err := json.Marshal(map[string]any{"type": "MODIFIED", "object": map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "data": data,
		"metadata": map[string]any{"name": "a", "namespace": "b", "resourceVersion": "1", "managedFields": []any{map[string]any{"manager": "c", "fieldsV1": map[string]any{"f:data": owned}}}},
	}})
	if err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for q.Context().Err() == nil {
			_, _ = w.Write(text)
		}
	}))
	b.Cleanup(server.Close)
	ours, theirs := clients(b, &rest.Config{Host: server.URL})
	for name, client := range map[string]dynamic.Interface{"dynamicclient": ours, "client-go": theirs} {
		b.Run(name, func(b *testing.B) {
			w, err := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Watch(b.Context(), metav1.ListOptions{})
			if err != nil {
				b.Fatal(err)
			}
			defer w.Stop()
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := <-w.ResultChan(); !ok {
					b.Fatal("the watch ended")
				}
			}
		})
	}
}

// FuzzWatch compares both clients for any object.
func FuzzWatch(f *testing.F) {
	for _, seed := range []string{`{"apiVersion":"v1","kind":"Thing","a":[1,-0,1.5e3,"b"]}`, `{"kind":"Status","apiVersion":"v1"}`, `{"kind":"Thing","metadata":{"managedFields":[{"fieldsV1":{}}]}}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, object string) {
		if !json.Valid([]byte(object)) {
			return
		}
		raw := `{"type":"MODIFIED","object":` + object + `}`
		want, _, err := unstructured.UnstructuredJSONScheme.Decode([]byte(object), nil, nil)
		kind, got, gotErr := dynamicclient.Decode(strings.NewReader(raw))
		if err != nil || gotErr != nil {
			if err == nil || gotErr == nil {
				if _, isList := want.(*unstructured.UnstructuredList); !isList {
					t.Errorf("%s: got %v, want %v", object, gotErr, err)
				}
			}
			return
		}
		u, ok := want.(*unstructured.Unstructured)
		if !ok || got == nil || kind != watch.Modified {
			return
		}
		dropFieldsV1(u.Object)
		if mine, ok := got.(*unstructured.Unstructured); ok {
			if diff := cmp.Diff(u.Object, mine.Object); diff != "" {
				t.Errorf("%s: -client-go +dynamicclient:\n%s", object, diff)
			}
		}
	})
}
