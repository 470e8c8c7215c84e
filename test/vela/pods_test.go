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
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/test/cluster"
)

// ownPods tests that `vela status --pod` and `vela logs` show the pods of an Application with
// traits, and not those of the worker, so that `vela logs` does not ask for one of them.
func ownPods(t *testing.T, k env) {
	ns := k.Namespace(t)
	k.applySettings(t, ns, "blue", "a")
	k.Apply(t, application(ns, "shop", `
    - name: web
      type: webservice
      properties: {image: nginx, env: [{name: COLOR, valueFrom: {configMapKeyRef: {name: settings, key: color}}}]}
      traits:
        - type: bump-on-change
        - {type: trigger, properties: {triggers: [{name: log, action: {type: log, properties: {message: changed}}}]}}
`))
	web := k.runPod(t, ns)
	k.waitForRevision(t, ns, "shop", 1)
	k.waitForTriggers(t, ns, 2)
	if pods, err := k.names(t.Context(), ns, "v1", "Pod"); err != nil || len(pods) < 2 {
		t.Fatalf("got pods %v and error %v, want %s and the worker", pods, err, web)
	}

	var view struct {
		PodList []struct{ Metadata struct{ Name string } }
	}
	if err := json.Unmarshal([]byte(k.Vela(t, "ql", "--query", "component-pod-view{appName=shop,appNs="+ns+"}.status")), &view); err != nil {
		t.Fatal(err)
	}
	if len(view.PodList) != 1 || view.PodList[0].Metadata.Name != web {
		t.Errorf("pods of the Application: got %v, want %s alone", view.PodList, web)
	}
	status := k.Vela(t, "status", "shop", "-n", ns, "--pod")
	if !strings.Contains(status, web) || strings.Contains(status, "kube-trigger") {
		t.Errorf("output of vela status --pod: got\n%s\nwant %s and no worker", status, web)
	}
	k.VelaUntil(t, web+" › web", "logs", "shop", "-n", ns)

	k.Vela(t, "delete", "shop", "-n", ns, "-y")
	k.expectRemaining(t, ns, []string{"settings"}, nil)
}

// runPod has the pod of the Deployment web in a namespace run and ready, as a node would, and
// returns its name. The cluster has no nodes.
func (k env) runPod(t *testing.T, namespace string) string {
	t.Helper()
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(schema.FromAPIVersionAndKind("v1", "PodList"))
	var pod *unstructured.Unstructured
	cluster.Eventually(t, "pod of Deployment web", func(ctx context.Context) error {
		if err := k.Client.List(ctx, list, client.InNamespace(namespace)); err != nil {
			return err
		}
		i := slices.IndexFunc(list.Items, func(p unstructured.Unstructured) bool { return strings.HasPrefix(p.GetName(), "web-") })
		if i < 0 {
			return errors.New("got none")
		}
		pod = &list.Items[i]
		return nil
	})
	patch := fmt.Sprintf(`{"status": {"phase": "Running",
		"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": %q}],
		"containerStatuses": [{"name": "web", "image": "nginx", "imageID": "", "ready": true, "restartCount": 0, "state": {"running": {}}}]}}`,
		pod.GetCreationTimestamp().UTC().Format("2006-01-02T15:04:05Z"))
	if err := k.Client.Status().Patch(t.Context(), pod, client.RawPatch("application/strategic-merge-patch+json", []byte(patch))); err != nil {
		t.Fatal(err)
	}
	return pod.GetName()
}
