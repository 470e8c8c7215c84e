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

package app

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/kubevela/kube-trigger/test/cluster"
)

const meterCRD = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: meters.stable.example.com}
spec:
  group: stable.example.com
  scope: Namespaced
  names: {plural: meters, singular: meter, kind: Meter}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec: {type: object, properties: {serial: {type: integer, format: int64}}}
`

// valueTriggers send, patch and compare values that a decoder could change.
const valueTriggers = `
triggers:
  - name: sent
    source: &go {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %[1]s, fieldSelector: metadata.name=go, events: [update]}}
    action:
      type: http-request
      properties:
        url: %[2]s
        body: {account: 9007199254740993, chat: -1001234567890123457, snowflake: 1098765432109876543, unsigned: 18446744073709551615}
  - name: patched
    source: *go
    action:
      type: patch-resource
      properties:
        resource: {apiVersion: stable.example.com/v1, kind: Meter, name: m, namespace: %[1]s}
        patch: {data: {spec: {serial: 9007199254740993}}}
  - name: compared
    source:
      type: resource-watcher
      properties: {apiVersion: stable.example.com/v1, kind: Meter, namespace: %[1]s, events: [update]}
    filter: context.data.spec.serial == 9007199254740993
    action: {type: log, properties: {message: "serial {{.data.spec.serial}}"}}
  - name: dated
    source: *go
    action:
      type: patch-resource
      properties:
        resource: {apiVersion: v1, kind: ConfigMap, name: noted, namespace: %[1]s}
        patch:
          data:
            metadata:
              annotations:
                example.com/issuer-expiry: 2026-11-24
                example.com/issued-at: 2026-03-25T13:37:11Z
                example.com/zoned: 2026-03-25T13:37:11+08:00
            data:
              expires: 2027-01-01
`

// TestValues sends and patches what was written: argoproj/argo-workflows#3990,
// pulumi/pulumi-kubernetes#501.
func TestValues(t *testing.T) {
	e := newEnv(t)
	crd := filepath.Join(t.TempDir(), "meters.yaml")
	if err := os.WriteFile(crd, []byte(meterCRD), 0o600); err != nil {
		t.Fatal(err)
	}
	e.Install(t, crd)
	client, err := dynamic.NewForConfig(e.Config)
	if err != nil {
		t.Fatal(err)
	}
	meters := client.Resource(schema.GroupVersionResource{Group: "stable.example.com", Version: "v1", Resource: "meters"}).Namespace(e.namespace)
	create(t, meters, map[string]any{"apiVersion": "stable.example.com/v1", "kind": "Meter", "spec": map[string]any{"serial": int64(1)}}, "m")
	for _, name := range []string{"go", "noted"} {
		e.createConfigMap(t, name)
	}
	bodies := make(chan string, 1)
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies <- string(body)
	}))
	defer sink.Close()
	o := e.options(t, fmt.Sprintf(valueTriggers, e.namespace, sink.URL))
	o.AllowAddresses = []string{"127.0.0.1"}
	p := startRun(t, o)
	eventually(t, "both watches", func() bool {
		return len(p.linesWhere(func(l map[string]any) bool { return l["msg"] == "watching" })) == 2
	})
	e.setValue(t, "go", "1")
	for _, trigger := range []string{"sent", "patched", "compared", "dated"} {
		p.waitForDecisions(t, 1, trigger, "Action succeeded", "")
	}
	p.stop(t)

	want := `{"account":9007199254740993,"chat":-1001234567890123457,"snowflake":1098765432109876543,"unsigned":18446744073709551615}`
	if got := cluster.Receive(t, "the request", bodies); got != want {
		t.Errorf("body %s, want %s", got, want)
	}
	meter, err := meters.Get(t.Context(), "m", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if serial, _, _ := unstructured.NestedInt64(meter.Object, "spec", "serial"); serial != 9007199254740993 {
		t.Errorf("serial %d", serial)
	}
	noted, err := e.configMaps.Get(t.Context(), "noted", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	annotations := map[string]string{"example.com/issuer-expiry": "2026-11-24", "example.com/issued-at": "2026-03-25T13:37:11Z", "example.com/zoned": "2026-03-25T13:37:11+08:00"}
	if diff := cmp.Diff(annotations, noted.GetAnnotations()); diff != "" {
		t.Error(diff)
	}
	if expires, _, _ := unstructured.NestedString(noted.Object, "data", "expires"); expires != "2027-01-01" {
		t.Errorf("expires %q", expires)
	}
}
