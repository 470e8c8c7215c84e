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

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/test/cluster"
)

const (
	// editInterval is the time between two edits of all objects.
	editInterval = 20 * time.Millisecond
	// unsavedEvents is the number of events in the second after which a worker saves what is
	// done: a crash repeats no more.
	unsavedEvents = int(time.Second / editInterval)
	// journalTemplate is an action that appends VALUE to the components of the Application
	// NAME, so that they show which actions have run, in their order.
	journalTemplate = `
import "vela/kube"
append: kube.#Patch & {$params: {
	resource: {apiVersion: "core.oam.dev/v1beta1", kind: "Application", metadata: {name: NAME, namespace: context.trigger.namespace}}
	patch: {type: "json", data: [{op: "add", path: "/spec/components/-", value: {name: VALUE, type: "entry"}}]}
}}
parameter: {}
`
)

// movable returns a TriggerService that writes the values of the ConfigMaps in-N and of
// webhooks to journals.
func movable(namespace, account, template string) string {
	return fmt.Sprintf(`
apiVersion: standard.oam.dev/v1alpha1
kind: TriggerService
metadata: {namespace: %[1]s, name: main}
spec:
  serviceAccountName: %[2]s
  worker: {template: %[3]s}
  triggers:
    - name: edits
      source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %[1]s, events: [update]}}
      filter: 'context: data: metadata: name: =~"^in-"'
      action: {type: journal-edit}
    - name: hook
      source: {type: webhook, properties: {auth: none}}
      action: {type: journal-call}
`, namespace, account, template)
}

// moves tests that a TriggerService that moves between workers and ServiceAccounts under load
// loses no event, keeps the order for each object, and repeats at most what a crash repeats,
// and that its webhook keeps its Service.
func moves(t *testing.T, i *installation) {
	ns := i.Namespace(t)
	for name, values := range map[string][2]string{"journal-edit": {"context.data.metadata.name", "context.data.data.key"}, "journal-call": {`"hooks"`, "context.data.body.n"}} {
		i.apply(t, strings.NewReplacer("trigger-action-stamp", "trigger-action-"+name, "NAME", values[0], "VALUE", values[1]).Replace(stampDefinition(ns, journalTemplate)))
	}
	for _, name := range []string{"first", "second"} {
		i.createServiceAccount(t, ns, name, "[{apiGroups: [core.oam.dev], resources: [applications], verbs: [get, patch, update]}]")
	}
	i.createApplication(t, ns, "hooks")
	for n := range objectCount {
		name := fmt.Sprint("in-", n)
		i.createApplication(t, ns, name)
		i.applyConfigMap(t, ns, name, "start")
	}
	i.apply(t, movable(ns, "first", "namespace"))
	i.waitForReady(t, ns, "main")
	service := i.webhookService(t, ns)

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var edits [objectCount]int
	calls, began := 0, time.Now()
	var edited []<-chan error
	for n := range objectCount {
		edited = append(edited, start(func() error {
			ticker := time.NewTicker(objectCount * editInterval)
			defer ticker.Stop()
			for ; ctx.Err() == nil; <-ticker.C {
				cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: fmt.Sprint("in-", n)}}
				patch := fmt.Appendf(nil, `{"data": {"key": "%d"}}`, edits[n])
				if err := i.admin.Patch(t.Context(), cm, client.RawPatch(types.MergePatchType, patch)); err != nil {
					return err
				}
				edits[n]++
			}
			return nil
		}))
	}
	called := start(func() error {
		for ctx.Err() == nil {
			status, body, err := i.callWebhook(t.Context(), ns, "main", "hook", "", fmt.Sprintf(`{"n": "%d"}`, calls))
			if err == nil && status >= 400 && status < 500 && status != http.StatusNotFound && status != http.StatusTooManyRequests {
				return fmt.Errorf("webhook: got status %d: %s", status, body)
			}
			if err == nil && status == http.StatusAccepted {
				calls++
			}
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond): // between the calls of a sender
			}
		}
		return nil
	})
	steps := []struct{ account, template string }{
		{"first", "dedicated"}, {"first", "namespace"}, {"second", "namespace"}, {"second", "dedicated"}, {"first", "dedicated"}, {"first", "namespace"},
	}
	for _, s := range steps {
		before := time.Now()
		i.apply(t, movable(ns, s.account, s.template))
		i.waitForReady(t, ns, "main")
		i.waitForWorker(t, ns, "kube-trigger-main", s.template == "dedicated")
		i.waitForWorker(t, ns, "kube-trigger", s.template == "namespace")
		t.Logf("moved to %s as %s in %s", s.template, s.account, time.Since(before).Round(10*time.Millisecond))
		if got := i.webhookService(t, ns); got.UID != service.UID || got.Spec.ClusterIP != service.Spec.ClusterIP || got.Spec.Ports[0].Port != service.Spec.Ports[0].Port {
			t.Errorf("got Service %s with address %s, want %s with %s", got.UID, got.Spec.ClusterIP, service.UID, service.Spec.ClusterIP)
		}
	}
	stop()
	took := time.Since(began)
	for _, done := range append(edited, called) {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	total, repeated := 0, 0
	for n := range objectCount {
		total += edits[n]
		repeated += i.expectJournal(t, ns, fmt.Sprint("in-", n), edits[n], true)
	}
	repeatedCalls := i.expectJournal(t, ns, "hooks", calls, false)
	t.Logf("%d moves, %d edits at %.0f/s: none lost, none out of order, %d actions repeated; %d webhooks: none lost, %d repeated",
		len(steps), total, float64(total)/took.Seconds(), repeated, calls, repeatedCalls)
	if maximum := len(steps) * unsavedEvents; repeated > maximum {
		t.Errorf("got %d repeated actions, want at most %d", repeated, maximum)
	}
}

// expectJournal waits until a journal has the values 0 to count-1, and returns how many values
// are repeated. If ordered, it fails the test unless each value is preceded by all smaller
// ones, and the last value is the largest.
func (i *installation) expectJournal(t *testing.T, namespace, name string, count int, ordered bool) (repeated int) {
	t.Helper()
	var values []int
	cluster.Eventually(t, fmt.Sprintf("%d values in journal %s", count, name), func(ctx context.Context) error {
		var err error
		if values, err = i.journal(ctx, namespace, name); err != nil {
			return err
		}
		distinct := slices.Clone(values)
		slices.Sort(distinct)
		distinct = slices.Compact(distinct)
		// A sender repeats a webhook whose answer it does not get.
		if len(distinct) < count {
			return fmt.Errorf("got %d values, want %d: %v", len(distinct), count, values)
		}
		repeated = len(values) - len(distinct)
		return nil
	})
	if !ordered {
		return repeated
	}
	next := 0
	for _, v := range values {
		if v > next {
			t.Errorf("journal %s: got value %d before %d: %v", name, v, next, values)
			return repeated
		}
		next = max(next, v+1)
	}
	if next != count || values[len(values)-1] != count-1 {
		t.Errorf("journal %s: got the last value %d of %d, want %d", name, values[len(values)-1], next, count-1)
	}
	return repeated
}

// journal returns the values that actions have appended to an Application.
func (i *installation) journal(ctx context.Context, namespace, name string) ([]int, error) {
	app := &unstructured.Unstructured{}
	app.SetAPIVersion("core.oam.dev/v1beta1")
	app.SetKind("Application")
	if err := i.admin.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, app); err != nil {
		return nil, err
	}
	components, _, err := unstructured.NestedSlice(app.Object, "spec", "components")
	if err != nil {
		return nil, err
	}
	var values []int
	for _, c := range components {
		component, _ := c.(map[string]any)
		text, _ := component["name"].(string)
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, err
		}
		values = append(values, n)
	}
	return values, nil
}

// waitForWorker waits until a worker is available, or until neither it nor a pod of it
// exists.
func (i *installation) waitForWorker(t *testing.T, namespace, name string, exists bool) {
	t.Helper()
	cluster.Eventually(t, fmt.Sprintf("existence of worker %s: %t", name, exists), func(ctx context.Context) error {
		d := &appsv1.Deployment{}
		err := i.admin.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, d)
		switch {
		case exists && err == nil && d.Status.AvailableReplicas == 0:
			return errors.New("not available")
		case exists:
			return err
		case err == nil:
			return errors.New("it exists")
		}
		return client.IgnoreNotFound(err)
	})
}

// callWebhook posts body to a webhook of a TriggerService, at the address that its Service has.
func (i *installation) callWebhook(ctx context.Context, namespace, service, trigger, token, body string) (status int, response string, err error) {
	address, err := i.webhookAddress(ctx, namespace, "kube-trigger-"+service)
	if err != nil {
		return 0, "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/"+namespace+"/"+trigger, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text), err
}

// webhookAddress returns the address of a ready pod that a Service selects, for its port.
func (i *installation) webhookAddress(ctx context.Context, namespace, name string) (string, error) {
	s := &corev1.Service{}
	if err := i.admin.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, s); err != nil {
		return "", err
	}
	var selected corev1.PodList
	if err := i.admin.List(ctx, &selected, client.InNamespace(namespace), client.MatchingLabels(s.Spec.Selector)); err != nil {
		return "", err
	}
	target := s.Spec.Ports[0].TargetPort
	if target.Type != intstr.Int {
		return "", fmt.Errorf("got target port %s, want a number", target.String())
	}
	for _, pod := range selected.Items {
		ready := slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		})
		for _, p := range i.node.Pods(namespace) {
			if ready && p.Name == pod.Name {
				return p.Address(target.IntVal), nil
			}
		}
	}
	return "", apierrors.NewServiceUnavailable("no ready pod of Service " + name)
}
