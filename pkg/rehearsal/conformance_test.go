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

package rehearsal_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"time"

	"github.com/kubevela/kube-trigger/pkg/rehearsal"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// TestConformance sends the same requests to a real API server and to Objects: results and
// reasons of errors are equal.
func TestConformance(t *testing.T) {
	c := cluster.Start(t, cluster.WithKubeVelaCRDs())
	server, err := client.New(c.Config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "rehearsal-"}}
	if err := server.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	fake := rehearsal.NewObjects(clocktesting.NewFakePassiveClock(time.Now())).Client()
	const (
		settings    = `{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, labels: {app: web}}, data: {a: "1"}}`
		secret      = `{apiVersion: v1, kind: Secret, metadata: {name: db}, stringData: {password: hunter2}}`
		application = `{apiVersion: core.oam.dev/v1beta1, kind: Application, metadata: {name: web}, spec: {components: [{name: a, type: webservice}, {name: b, type: worker}]}, status: {status: running}}`
		deployment  = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 2, selector: {matchLabels: {app: web}},
			template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: "web:1"}, {name: proxy, image: "proxy:1"}]}}}}`
	)
	patch := func(kind types.PatchType, data string) func(context.Context, client.Client, *unstructured.Unstructured) error {
		return func(ctx context.Context, c client.Client, u *unstructured.Unstructured) error {
			return c.Patch(ctx, u, client.RawPatch(kind, []byte(data)), client.FieldOwner("me"))
		}
	}
	status := func(data string) func(context.Context, client.Client, *unstructured.Unstructured) error {
		return func(ctx context.Context, c client.Client, u *unstructured.Unstructured) error {
			return c.Status().Patch(ctx, u, client.RawPatch(types.MergePatchType, []byte(data)))
		}
	}
	create := func(ctx context.Context, c client.Client, u *unstructured.Unstructured) error {
		return c.Create(ctx, u)
	}
	apply := func(ctx context.Context, c client.Client, u *unstructured.Unstructured) error {
		return c.Patch(ctx, u, client.Apply, client.ForceOwnership, client.FieldOwner("applier"))
	}
	get := func(ctx context.Context, c client.Client, u *unstructured.Unstructured) error {
		return c.Get(ctx, client.ObjectKeyFromObject(u), u)
	}
	update := func(ctx context.Context, c client.Client, u *unstructured.Unstructured) error {
		return c.Update(ctx, u)
	}
	remove := func(opts ...client.DeleteOption) func(context.Context, client.Client, *unstructured.Unstructured) error {
		return func(ctx context.Context, c client.Client, u *unstructured.Unstructured) error {
			return c.Delete(ctx, u, opts...)
		}
	}
	uid := types.UID("other")
	for i, step := range []struct {
		what   string
		object string
		do     func(context.Context, client.Client, *unstructured.Unstructured) error
	}{
		{"get what is not there", settings, get},
		{"patch what is not there", settings, patch(types.MergePatchType, `{"data":{"b":"2"}}`)},
		{"update what is not there", settings, update},
		{"delete what is not there", settings, remove()},
		{"create", settings, create},
		{"create again", settings, create},
		{"merge", settings, patch(types.MergePatchType, `{"data":{"b":"2"},"metadata":{"annotations":{"x":"y"}}}`)},
		{"merge the same", settings, patch(types.MergePatchType, `{"data":{"b":"2"}}`)},
		{"merge null", settings, patch(types.MergePatchType, `{"data":{"b":null}}`)},
		{"merge with a revision", settings, patch(types.MergePatchType, `{"metadata":{"resourceVersion":"1"},"data":{"b":"3"}}`)},
		{"merge with a uid", settings, patch(types.MergePatchType, `{"metadata":{"uid":"other"},"data":{"b":"3"}}`)},
		{"merge with a name", settings, patch(types.MergePatchType, `{"metadata":{"name":"other"}}`)},
		{"JSON", settings, patch(types.JSONPatchType, `[{"op":"add","path":"/data/c","value":"3"}]`)},
		{"JSON of nothing", settings, patch(types.JSONPatchType, `[{"op":"remove","path":"/data/nothing"}]`)},
		{"JSON test", settings, patch(types.JSONPatchType, `[{"op":"test","path":"/data/c","value":"4"}]`)},
		{"JSON that is none", settings, patch(types.JSONPatchType, `{"data":{}}`)},
		{"apply to another's", settings, apply},
		{"apply less", strings.Replace(settings, `a: "1"`, `d: "4"`, 1), apply},
		{"apply the same", strings.Replace(settings, `a: "1"`, `d: "4"`, 1), apply},
		{"apply with another uid", strings.Replace(settings, "name: settings", "name: settings, uid: other", 1), apply},
		{"change what is applied", settings, patch(types.MergePatchType, `{"data":{"d":"5"}}`)},
		{"apply none of it", strings.Replace(settings, `a: "1"`, "", 1), apply},
		{"apply new", strings.Replace(settings, `a: "1"`, `e: "5"`, 1), apply},
		{"apply another", strings.Replace(settings, `a: "1"`, `f: "5"`, 1), apply},
		{"update with another uid", strings.Replace(settings, "name: settings", "name: settings, uid: other", 1), update},
		{"update without a revision", settings, update},
		{"delete with a uid", settings, remove(client.Preconditions{UID: &uid})},
		{"delete", settings, remove()},
		{"get what was deleted", settings, get},
		{"apply what is not there", settings, apply},
		{"apply with a uid", strings.Replace(settings, "name: settings", "name: more, uid: other", 1), apply},
		{"Secret", secret, create},
		{"Secret's plain data", secret, patch(types.MergePatchType, `{"stringData":{"user":"me"}}`)},
		{"custom resource", application, create},
		{"merge into a custom resource", application, patch(types.MergePatchType, `{"spec":{"policies":[{"name":"x","type":"y"}]},"status":{"status":"other"}}`)},
		{"status of a custom resource", application, status(`{"spec":{"policies":[]},"status":{"status":"other"}}`)},
		{"strategic of a custom resource", application, patch(types.StrategicMergePatchType, `{"spec":{}}`)},
		{"labels only", application, patch(types.MergePatchType, `{"metadata":{"labels":{"a":"b"}}}`)},
		{"apply a custom resource", strings.Replace(application, "{name: a, type: webservice}, ", "", 1), apply},
		{"Deployment", deployment, create},
		{"strategic", deployment, patch(types.StrategicMergePatchType, `{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"web:2"}]}}}}`)},
		{"apply a container", `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {template: {spec: {containers: [{name: proxy, image: "proxy:2"}]}}}}`, apply},
		{"status through the object", deployment, patch(types.MergePatchType, `{"spec":{"replicas":5},"status":{"replicas":5}}`)},
	} {
		t.Run(fmt.Sprintf("%02d/%s", i, step.what), func(t *testing.T) {
			results := [2]string{}
			for i, c := range []client.Client{server, fake} {
				u := parse(t, step.object)
				u.SetNamespace(namespace.Name)
				before := u.DeepCopy()
				_ = c.Get(t.Context(), client.ObjectKeyFromObject(u), before)
				err := step.do(t.Context(), c, u)
				results[i] = fmt.Sprintf("%s, changed %v", reason(err), before.GetResourceVersion() != u.GetResourceVersion())
				if err == nil {
					results[i] += "\n" + comparableText(t, u)
				}
			}
			if diff := cmp.Diff(results[0], results[1]); diff != "" {
				t.Errorf("- API server, + Objects\n%s", diff)
			}
		})
	}
}

// reason returns the reason and the code of an error.
func reason(err error) string {
	if err == nil {
		return "succeeded"
	}
	if status := apierrors.APIStatus(nil); asStatus(err, &status) {
		return fmt.Sprint(status.Status().Reason, " ", status.Status().Code)
	}
	return err.Error()
}

func asStatus(err error, status *apierrors.APIStatus) bool {
	s, ok := err.(apierrors.APIStatus)
	*status = s
	return ok
}

// comparableText returns an object without what differs from one API server to the next, and
// without the defaults of a Deployment.
func comparableText(t *testing.T, u *unstructured.Unstructured) string {
	t.Helper()
	u.SetUID("")
	u.SetResourceVersion("")
	u.SetManagedFields(nil)
	u.SetCreationTimestamp(metav1.Time{})
	if u.GetKind() == "Secret" {
		delete(u.Object, "type")
	}
	if u.GetKind() == "Deployment" {
		containers, _, _ := unstructured.NestedSlice(u.Object, "spec", "template", "spec", "containers")
		text := ""
		for _, c := range containers {
			c, _ := c.(map[string]any)
			text += fmt.Sprintf(" %v=%v", c["name"], c["image"])
		}
		replicas, _, _ := unstructured.NestedInt64(u.Object, "spec", "replicas")
		return fmt.Sprint(u.GetGeneration(), replicas, text)
	}
	text, err := u.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
