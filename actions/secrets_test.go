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

package actions_test

import (
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// value is a value of a Secret, with characters that encodings change.
const value = `hunter-3 & "NEVER"/SHOW-ä`

// leakForms returns value in the forms that must not be sent.
func leakForms() []string {
	encode := base64.StdEncoding.EncodeToString
	once := encode([]byte(value))
	quoted, _ := json.Marshal(value)
	inner := string(quoted[1 : len(quoted)-1])
	twice, _ := json.Marshal(inner)
	return []string{value, "hunter-3", "NEVER", once, encode([]byte(once)), inner, string(twice[1 : len(twice)-1]), url.QueryEscape(value), url.PathEscape(value)}
}

// secretObjects returns objects that hold the value, as they occur.
func secretObjects() map[string]map[string]any {
	manifest, _ := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "shop-db", "namespace": "shop"}, "stringData": map[string]any{"password": value},
	})
	encoded := base64.StdEncoding.EncodeToString([]byte(value))
	secret := func(more map[string]any) map[string]any {
		metadata := map[string]any{"name": "shop-db", "namespace": "shop", "uid": "1", "labels": map[string]any{"app": "shop"}}
		maps.Copy(metadata, more)
		return map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": map[string]any{"password": encoded}}
	}
	object := func(apiVersion, kind string, more map[string]any) map[string]any {
		out := map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": map[string]any{"name": "outer", "namespace": "shop", "uid": "2"}}
		maps.Copy(out, more)
		return out
	}
	annotated := func(name, text string) map[string]any {
		return secret(map[string]any{"annotations": map[string]any{name: text}})
	}
	asYAML, _ := yaml.JSONToYAML(manifest)
	var release strings.Builder
	encoder := base64.NewEncoder(base64.StdEncoding, &release)
	w := gzip.NewWriter(encoder)
	_, _ = w.Write([]byte(`{"manifest":` + strconv.Quote(string(asYAML)) + `}`))
	_, _ = w.Close(), encoder.Close() // in memory
	return map[string]map[string]any{
		// kubernetes/kubernetes#23564, RamenDR/ramen#280, benc-uk/kubeview#25, rancher/rancher#46934.
		"last applied": annotated("kubectl.kubernetes.io/last-applied-configuration", string(manifest)),
		// pulumi/pulumi-kubernetes#734: copies elsewhere in the metadata.
		"other annotation": annotated("example.com/copy", "password is "+value),
		"label":            secret(map[string]any{"labels": map[string]any{"app": "shop", "copy": value}}),
		// crossplane-contrib/provider-kubernetes#250: a manifest within another object, and its annotation.
		"nested": object("kubernetes.crossplane.io/v1alpha2", "Object", map[string]any{
			"metadata": map[string]any{"name": "outer", "namespace": "shop", "uid": "2", "annotations": map[string]any{
				"kubectl.kubernetes.io/last-applied-configuration": `{"spec":{"forProvider":{"manifest":` + string(manifest) + `}}}`,
			}},
			"spec": map[string]any{"forProvider": map[string]any{"manifest": secret(nil)}},
		}),
		"component": object("core.oam.dev/v1beta1", "Application", map[string]any{"spec": map[string]any{"components": []any{
			map[string]any{"name": "db", "type": "k8s-objects", "properties": map[string]any{"objects": []any{secret(nil)}}},
			map[string]any{"name": "web", "type": "webservice", "properties": map[string]any{"cmd": []any{"--password=" + value}}},
		}}}),
		"list": {"apiVersion": "v1", "kind": "SecretList", "metadata": map[string]any{"name": "l", "uid": "3"}, "items": []any{
			map[string]any{"metadata": map[string]any{"name": "shop-db"}, "data": map[string]any{"password": encoded}},
		}},
		"tracker": object("core.oam.dev/v1beta1", "ResourceTracker", map[string]any{"spec": map[string]any{"managedResources": []any{
			map[string]any{"apiVersion": "v1", "kind": "Secret", "name": "shop-db", "raw": secret(nil)},
		}}}),
		// ReversecLabs/IceKube#27: what was applied before differs from what is now.
		"earlier value": {
			"apiVersion": "v1", "kind": "Secret", "data": map[string]any{"password": "b3RoZXItdmFsdWU="},
			"metadata": map[string]any{"name": "shop-db", "namespace": "shop", "uid": "1", "annotations": map[string]any{"kubectl.kubernetes.io/last-applied-configuration": string(manifest)}},
		},
		// falcosecurity/plugins#528: a ConfigMap with credentials.
		"manifests in a ConfigMap": object("v1", "ConfigMap", map[string]any{"data": map[string]any{
			"all.yaml": "kind: Namespace\nmetadata: {name: shop}\n---\n" + string(asYAML), "copy": value,
		}}),
		// helm/helm#2083: releases of Helm 2, and of Helm 3 with HELM_DRIVER=configmap.
		"Helm release": object("v1", "ConfigMap", map[string]any{"data": map[string]any{"release": release.String()}}),
		// gravitational/teleport#27548: a message with what was sent.
		"message": object("v1", "Event", map[string]any{"message": "cannot apply: " + string(manifest)}),
		"base64 of base64": {
			"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "shop-db", "namespace": "shop", "uid": "1", "labels": map[string]any{"copy": value}},
			"data": map[string]any{"password": base64.StdEncoding.EncodeToString([]byte(encoded))},
		},
	}
}

// TestSecrets_Leave: no value of a Secret leaves with http-request, send-cloudevent or
// start-workflow, wherever in the object it is. What identifies the object does.
func TestSecrets_Leave(t *testing.T) {
	e := startVela(t)
	e.policy.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	var sent string
	server := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		sent = r.URL.RawQuery + " " + r.Header.Get("X-Copy") + " " + string(body)
	})
	for name, object := range secretObjects() {
		for _, tc := range []struct {
			action     string
			properties map[string]any
		}{
			{"http-request", map[string]any{"url": server.URL}},
			{"http-request", map[string]any{"url": server.URL + "/?p={{with .data.data}}{{.password}}{{end}}", "text": "{{.data}} {{with .data.data}}{{.password}}{{end}}"}},
			{"send-cloudevent", map[string]any{"url": server.URL}},
			{"start-workflow", map[string]any{"workflow": "w"}},
		} {
			t.Run(name+"/"+tc.action, func(t *testing.T) {
				sent = ""
				ev := event.Event{Source: "resource-watcher", Type: event.Update, ID: name, Data: object}
				before, err := json.Marshal(object)
				if err != nil {
					t.Fatal(err)
				}
				e.mustRun(t, tc.action, tc.properties, ev)
				for _, run := range e.list(t, "core.oam.dev/v1alpha1", "WorkflowRun") {
					text, err := json.Marshal(run.Object["spec"])
					if err != nil {
						t.Fatal(err)
					}
					sent += string(text)
					if err := e.Delete(t.Context(), &run); err != nil {
						t.Fatal(err)
					}
				}
				wantNoLeak(t, sent)
				if o := (unstructured.Unstructured{Object: object}); !strings.Contains(sent, o.GetName()) {
					t.Errorf("%s does not identify the object", sent)
				}
				if after, err := json.Marshal(object); err != nil || string(after) != string(before) {
					t.Errorf("the event was modified: %s", after)
				}
			})
		}
	}
}

func wantNoLeak(t *testing.T, text string) {
	t.Helper()
	for _, form := range append(leakForms(), "last-applied-configuration") {
		if strings.Contains(text, form) {
			t.Errorf("%q is in %s", form, text)
		}
	}
}

// TestSecrets_Messages: messages cannot contain values of a Secret of the event.
func TestSecrets_Messages(t *testing.T) {
	e := startWithLoopback(t)
	var sent string
	server := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		sent = string(body)
	})
	e.secret(t, "chat", map[string]any{"url": server.URL})
	message := `{{.data.metadata.name}}: {{.data.data}} {{.data.metadata.labels}} {{printf "%v" .data}}`
	for name, object := range secretObjects() {
		ev := event.Event{Source: "resource-watcher", Type: event.Update, ID: name, Data: object}
		e.mustRun(t, "notify-slack", map[string]any{"url": secretRef("chat", "url"), "message": message}, ev)
		wantNoLeak(t, sent)
	}
}

// TestSecrets_Refused: the API server repeats data that it refuses, and quotes the whole Secret
// that a patch would make, also if that is for a label. No error contains it
// (kubernetes/kubernetes#31548, marcel-dempers/docker-development-youtube-series#58,
// sourcegraph/deploy-sourcegraph-k8s#235).
func TestSecrets_Refused(t *testing.T) {
	e := start(t)
	const other = "what-it-has-already"
	e.secret(t, "db", map[string]any{"other": other})
	const password = "hunter2-is-no-base64"
	data := map[string]any{"data": map[string]any{"password": password, "zz": "wombat"}}
	patch := func(kind string, data any) map[string]any {
		return map[string]any{
			"resource": map[string]any{"apiVersion": "v1", "kind": "Secret", "name": "db", "namespace": e.namespace},
			"patch":    map[string]any{"type": kind, "data": data},
		}
	}
	secret := map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "new"}}
	maps.Copy(secret, data)
	for name, tc := range map[string]struct {
		action     string
		properties map[string]any
	}{
		"merge":     {"patch-resource", patch("merge", data)},
		"strategic": {"patch-resource", patch("strategic", data)},
		"apply":     {"patch-resource", patch("apply", data)},
		"json": {"patch-resource", patch("json", []any{map[string]any{"op": "add", "path": "/data/password", "value": password}, map[string]any{
			"op": "add", "path": "/data/zz", "value": "wombat",
		}})},
		"apply-resource": {"apply-resource", map[string]any{"resource": secret}},
		"label":          {"patch-resource", patch("merge", map[string]any{"metadata": map[string]any{"labels": map[string]any{"n": int64(5)}}})},
		"labels":         {"patch-resource", patch("json", []any{map[string]any{"op": "add", "path": "/metadata/labels", "value": int64(5)}})},
	} {
		err := e.run(t, tc.action, tc.properties, e.event("x"))
		// Of server-side apply, the API server says that it is an internal error.
		if err == nil || !action.IsTerminal(err) && !apierrors.IsInternalError(err) {
			t.Errorf("%s: got %v, want a terminal error", name, err)
			continue
		}
		for _, value := range []string{password, "wombat", other, base64.StdEncoding.EncodeToString([]byte(other))} {
			if part := value[:min(8, len(value))]; strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v", name, err)
				break
			}
		}
	}
}
