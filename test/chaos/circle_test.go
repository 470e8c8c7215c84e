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

package chaos

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// makeAction creates an object whose name is derived from the event.
const makeAction = `
import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"vela/kube"
)

make: kube.#Apply & {$params: resource: parameter.object & {
	metadata: name: "made-" + strings.SliceRunes(hex.Encode(sha256.Sum256(context.event.id)), 0, 20)
}}
parameter: object: {...}
`

// annotateAction annotates the event's object with the event.
const annotateAction = `
import "vela/kube"

annotate: kube.#Patch & {$params: {
	resource: {apiVersion: context.data.apiVersion, kind: context.data.kind, metadata: {name: context.data.metadata.name, namespace: context.data.metadata.namespace}}
	patch: data: metadata: annotations: event: context.event.id
}}
parameter: {}
`

// maxCircle is the maximum number of actions of a trigger in a circle.
const maxCircle = 60

// circle is a trigger whose actions lead back to it. Each is of another make.
type circle struct {
	*objects
	name string
	// trigger is its configuration. another is that of a second process.
	trigger, another string
	// control is a controller that is not ours. It runs until ctx ends; nil if there is
	// none.
	control func(ctx context.Context)
	// begin causes the first event.
	begin func(ctx context.Context, w *worker) error
}

// makes returns the configuration of a trigger that creates an object for each event.
func makes(name, source, filter, object string) string {
	return fmt.Sprintf(`
  - name: %s
    source: %s
    filter: %s
    action: {type: make, properties: {object: %s}}
`, name, source, filter, object)
}

func resourceSource(apiVersion, kind, namespace, events string) string {
	return fmt.Sprintf("{type: resource-watcher, properties: {apiVersion: %s, kind: %s, namespace: %s, events: [%s]}}", apiVersion, kind, namespace, events)
}

// each calls f for each object that is added or modified, until ctx ends.
func each[T any](ctx context.Context, t *harness, start func(context.Context, metav1.ListOptions) (watch.Interface, error), f func(event watch.EventType, o T) error) {
	w, err := start(ctx, metav1.ListOptions{})
	if err != nil {
		t.Error(err)
		return
	}
	defer w.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case ev, ok := <-w.ResultChan():
			if !ok {
				return
			}
			o, ok := ev.Object.(T)
			if !ok {
				continue
			}
			if err := f(ev.Type, o); err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
		}
	}
}

// eventCircle is the circle of kyverno/kyverno#1941 in kube-trigger: a trigger on
// Kubernetes Events makes Kubernetes Events, in another group of the API.
func eventCircle(t *harness) circle {
	o := t.objects()
	return circle{
		objects: o, name: "events",
		trigger: fmt.Sprintf(`
  - name: events
    source: {type: event, properties: {namespace: %s}}
    action: {type: emit-kubernetes-event, properties: {reason: Seen, message: "saw {{.data.reason}}"}}
`, o.namespace),
		begin: func(ctx context.Context, _ *worker) error {
			_, err := o.kube.CoreV1().Events(o.namespace).Create(ctx, &corev1.Event{
				ObjectMeta:     metav1.ObjectMeta{Name: "first"},
				InvolvedObject: corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Name: "web-0", Namespace: o.namespace},
				Reason:         "Started", Message: "started", Type: corev1.EventTypeNormal, Count: 1,
			}, metav1.CreateOptions{})
			return err
		},
	}
}

func newJob(name string) *batchv1.Job {
	return &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "work", Image: "work"}},
	}}}}
}

// fail sets the status of a Job that fails.
func (o *objects) fail(ctx context.Context, job *batchv1.Job) error {
	now := metav1.Now()
	job = job.DeepCopy()
	job.Status.StartTime, job.Status.Failed = &now, 1
	_, err := o.kube.BatchV1().Jobs(o.namespace).UpdateStatus(ctx, job, metav1.UpdateOptions{})
	return err
}

// jobCircle makes a Job when a Job fails. Each fails: argoproj/argo-events#920 has
// Workflows without end.
func jobCircle(t *harness) circle {
	o := t.objects()
	return circle{
		objects: o, name: "jobs",
		trigger: makes("jobs", resourceSource("batch/v1", "Job", o.namespace, "update"), "context.data.status.failed > 0",
			`{apiVersion: batch/v1, kind: Job, metadata: {namespace: `+o.namespace+`}, spec: {template: {spec: {restartPolicy: Never, containers: [{name: work, image: work}]}}}}`),
		control: func(ctx context.Context) {
			each(ctx, t, o.kube.BatchV1().Jobs(o.namespace).Watch, func(event watch.EventType, job *batchv1.Job) error {
				if event != watch.Added {
					return nil
				}
				return o.fail(ctx, job)
			})
		},
		begin: func(ctx context.Context, _ *worker) error {
			_, err := o.kube.BatchV1().Jobs(o.namespace).Create(ctx, newJob("first"), metav1.CreateOptions{})
			return err
		},
	}
}

// kindCircle makes a ConfigMap for each Secret, and a controller makes a Secret for each
// ConfigMap, without a reference: kyverno/kyverno#15329.
func kindCircle(t *harness) circle {
	o := t.objects()
	secret := func(ctx context.Context, name string) error {
		_, err := o.kube.CoreV1().Secrets(o.namespace).Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
		return err
	}
	return circle{
		objects: o, name: "kinds",
		trigger: makes("kinds", resourceSource("v1", "Secret", o.namespace, "create"), `""`, `{apiVersion: v1, kind: ConfigMap, metadata: {namespace: `+o.namespace+`}}`),
		control: func(ctx context.Context) {
			each(ctx, t, o.client.Watch, func(event watch.EventType, cm *corev1.ConfigMap) error {
				if event != watch.Added || !strings.HasPrefix(cm.Name, "made-") {
					return nil
				}
				return secret(ctx, "of-"+cm.Name)
			})
		},
		begin: func(ctx context.Context, _ *worker) error { return secret(ctx, "first") },
	}
}

// processCircle has triggers of two processes, each of which makes a ConfigMap for each
// ConfigMap of the other one, in another namespace: kyverno/kyverno#7017.
func processCircle(t *harness) circle {
	left, right := t.objects(), t.objects()
	copies := func(name, from, to string) string {
		return makes(name, resourceSource("v1", "ConfigMap", from, "create"), `context.data.metadata.name !~ "^kube-root"`, `{apiVersion: v1, kind: ConfigMap, metadata: {namespace: `+to+`}}`)
	}
	return circle{
		objects: left, name: "processes",
		trigger: copies("processes", left.namespace, right.namespace),
		another: copies("another", right.namespace, left.namespace),
		begin:   func(context.Context, *worker) error { return left.create(0) },
	}
}

// webhookCircle calls a server that calls back, and passes no header on:
// argoproj/argo-events#1807.
func webhookCircle(t *harness) circle {
	o := t.objects()
	var address atomic.Value
	call := func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address.Load().(string)+"/back", strings.NewReader("{}"))
		if err != nil {
			return err
		}
		request.Header.Set("Content-Type", "application/json")
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		return response.Body.Close()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	called := make(chan struct{}, 10*maxCircle)
	server := &http.Server{ReadHeaderTimeout: waitTimeout, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		select {
		case called <- struct{}{}:
		default:
		}
	})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(l)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-ended
	})
	return circle{
		objects: o, name: "webhook",
		trigger: fmt.Sprintf(`
  - name: webhook
    source: {type: webhook, properties: {path: /back, auth: none}}
    action: {type: http-request, properties: {url: "http://%s/build", method: POST, body: {}}}
`, l.Addr()),
		control: func(ctx context.Context) {
			for {
				select {
				case <-ctx.Done():
					return
				case <-called:
					_ = call(ctx) // the process may have ended
				}
			}
		},
		begin: func(ctx context.Context, w *worker) error {
			address.Store(w.logged("webhook server listens", "address"))
			return call(ctx)
		},
	}
}

// statusCircle writes an object whose controller then writes its status:
// keikoproj/instance-manager#235.
func statusCircle(t *harness) circle {
	o := t.objects()
	deployments := o.kube.AppsV1().Deployments(o.namespace)
	return circle{
		objects: o, name: "status",
		trigger: fmt.Sprintf(`
  - name: status
    source: %s
    action: {type: annotate, properties: {}}
`, resourceSource("apps/v1", "Deployment", o.namespace, "update")),
		control: func(ctx context.Context) {
			seen := ""
			each(ctx, t, deployments.Watch, func(_ watch.EventType, d *appsv1.Deployment) error {
				if event := d.Annotations["event"]; event == "" || event == seen {
					return nil
				}
				seen = d.Annotations["event"]
				d = d.DeepCopy()
				d.Status.Replicas++
				_, err := deployments.UpdateStatus(ctx, d, metav1.UpdateOptions{})
				return ignoreConflict(err)
			})
		},
		begin: func(ctx context.Context, _ *worker) error { return o.deploy(ctx) },
	}
}

// deploy creates a Deployment, and updates it.
func (o *objects) deploy(ctx context.Context) error {
	deployments, labels := o.kube.AppsV1().Deployments(o.namespace), map[string]string{"app": "web"}
	d, err := deployments.Create(ctx, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web"}}},
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	d.Labels = labels
	_, err = deployments.Update(ctx, d, metav1.UpdateOptions{})
	return err
}

// replicasCircle sets replicas that an autoscaler sets back:
// temporalio/temporal-worker-controller#527.
func replicasCircle(t *harness) circle {
	o := t.objects()
	deployments := o.kube.AppsV1().Deployments(o.namespace)
	return circle{
		objects: o, name: "replicas",
		trigger: fmt.Sprintf(`
  - name: replicas
    source: %s
    filter: context.data.spec.replicas != 5
    action: {type: scale-workload, properties: {replicas: 5}}
`, resourceSource("apps/v1", "Deployment", o.namespace, "update")),
		control: func(ctx context.Context) {
			each(ctx, t, deployments.Watch, func(_ watch.EventType, d *appsv1.Deployment) error {
				if *d.Spec.Replicas != 5 {
					return nil
				}
				_, err := deployments.Patch(ctx, "web", types.MergePatchType, []byte(`{"spec":{"replicas":3}}`), metav1.PatchOptions{FieldManager: "autoscaler"}, "scale")
				return err
			})
		},
		begin: func(ctx context.Context, _ *worker) error { return o.deploy(ctx) },
	}
}
