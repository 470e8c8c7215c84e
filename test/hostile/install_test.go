//go:build hostile

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

package hostile

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/controller"
	kubetrigger "github.com/kubevela/kube-trigger/pkg/trigger"
	"github.com/kubevela/kube-trigger/test/cluster"
	"github.com/kubevela/kube-trigger/test/pods"
)

// installation is a cluster with kube-trigger.
type installation struct {
	*cluster.Cluster
	admin client.WithWatch
	node  *pods.Node
	// honest is the namespace that attacks must not affect.
	honest string
}

// install installs kube-trigger with its validating webhook in a new cluster, and runs its
// pods with their limits.
func install(t *testing.T, program string) *installation {
	t.Helper()
	c := cluster.Start(t, cluster.Own(), cluster.WithControllerManager())
	c.InstallApplicationCRD(t)
	c.InstallKubeTrigger(t)
	scheme := runtime.NewScheme()
	if err := errors.Join(controller.AddToScheme(scheme), corev1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	admin, err := client.NewWithWatch(c.Config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	i := &installation{Cluster: c, admin: admin}
	i.node = pods.Run(t, c, program, pods.WithLimits())
	i.controllerPod(t)
	return i
}

// controllerPod waits for the pod of the controller, and returns it.
func (i *installation) controllerPod(t *testing.T) *pods.Pod {
	t.Helper()
	return i.pod(t, "vela-system", "kube-trigger-controller-")
}

// pod waits for a running pod with a prefix of its name, and returns it.
func (i *installation) pod(t *testing.T, namespace, prefix string) *pods.Pod {
	t.Helper()
	var found *pods.Pod
	cluster.Eventually(t, "pod "+prefix, func(context.Context) error {
		for _, p := range i.node.Pods(namespace) {
			if strings.HasPrefix(p.Name, prefix) && p.PID() != 0 {
				found = p
				return nil
			}
		}
		return errors.New("got none")
	})
	return found
}

// worker waits for a running pod of the worker of a namespace, and returns it.
func (i *installation) worker(t *testing.T, namespace string) *pods.Pod {
	t.Helper()
	return i.pod(t, namespace, kubetrigger.NamespaceWorker+"-")
}

// webhook returns the address of the webhooks of a TriggerService in the worker of its
// namespace.
func (i *installation) webhook(t *testing.T, namespace, name string) string {
	t.Helper()
	s := &corev1.Service{}
	if err := i.admin.Get(t.Context(), types.NamespacedName{Namespace: namespace, Name: kubetrigger.WorkerName(name)}, s); err != nil {
		t.Fatal(err)
	}
	return i.worker(t, namespace).Address(s.Spec.Ports[0].TargetPort.IntVal)
}

// kills returns how often containers of a namespace have ended by themselves.
func (i *installation) kills(namespace string) int {
	n := 0
	for _, p := range i.node.Pods(namespace) {
		n += max(0, p.Starts()-1)
	}
	return n
}

// apply applies YAML documents as an administrator.
func (i *installation) apply(ctx context.Context, text string) error {
	return cluster.Apply(ctx, i.admin, text)
}

// allowConfigMaps lets the workers of a namespace write ConfigMaps.
func (i *installation) allowConfigMaps(ctx context.Context, namespace string) error {
	return i.apply(ctx, fmt.Sprintf(`apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {namespace: %[1]s, name: copy}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [get, list, watch, create, patch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {namespace: %[1]s, name: copy}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: copy}
subjects: [{kind: ServiceAccount, name: kube-trigger, namespace: %[1]s}]
`, namespace))
}

// ready returns an error unless the worker runs the generation of a TriggerService.
func (i *installation) ready(ctx context.Context, namespace, name string) error {
	ts := &v1alpha1.TriggerService{}
	if err := i.admin.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, ts); err != nil {
		return err
	}
	c := meta.FindStatusCondition(ts.Status.Conditions, v1alpha1.ConditionReady)
	if c == nil || c.Status != metav1.ConditionTrue || c.ObservedGeneration != ts.Generation || ts.Status.WorkerGeneration != ts.Generation {
		return fmt.Errorf("got status %+v, want generation %d to be ready", ts.Status, ts.Generation)
	}
	return nil
}

// tenant is a namespace and an account that may write TriggerServices, Definitions and
// ConfigMaps in it.
type tenant struct {
	*testing.T
	installation *installation
	namespace    string
	client       client.Client
	// begun is closed when the attack has made what it needs.
	begun chan struct{}
	begin func()
	// done counts the writes that succeeded, and the requests that were sent.
	done atomic.Int64
}

// hold begins the attack, and lets it last until ctx ends.
func (t *tenant) hold(ctx context.Context) {
	t.begin()
	<-ctx.Done()
}

func (i *installation) newTenant(t *testing.T) *tenant {
	t.Helper()
	namespace := i.Namespace(t)
	all := []string{"*"}
	config := i.ServiceAccount(t, namespace, "tenant",
		rbacv1.PolicyRule{APIGroups: []string{"standard.oam.dev"}, Resources: []string{"triggerservices"}, Verbs: all},
		rbacv1.PolicyRule{APIGroups: []string{"core.oam.dev"}, Resources: []string{"definitions"}, Verbs: all},
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps", "secrets"}, Verbs: all},
	)
	c, err := client.New(config, client.Options{Scheme: i.admin.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	begun := make(chan struct{})
	tenant := &tenant{T: t, installation: i, namespace: namespace, client: c, begun: begun, begin: sync.OnceFunc(func() { close(begun) })}
	// The API server learns of the rights a moment later.
	cluster.Eventually(t, "rights of the tenant", func(ctx context.Context) error {
		return errors.Join(
			c.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "probe-"}}),
			client.IgnoreNotFound(c.Delete(ctx, &v1alpha1.TriggerService{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "none"}})),
		)
	})
	return tenant
}

// try applies YAML documents as the tenant. Attacks ignore refusals.
func (t *tenant) try(ctx context.Context, text string) error {
	err := cluster.Apply(ctx, t.client, text)
	if err == nil || ctx.Err() != nil { // sent, and not answered in time
		t.done.Add(1)
	}
	return err
}

// each calls do for 0 to n-1, some at a time, until ctx ends.
func each(ctx context.Context, n, concurrency int, do func(k int)) {
	next := make(chan int)
	var wg sync.WaitGroup
	for range concurrency {
		wg.Go(func() {
			for k := range next {
				do(k)
			}
		})
	}
	for k := range n {
		select {
		case next <- k:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
	}
	close(next)
	wg.Wait()
}

// service applies a TriggerService of the tenant with the YAML of its spec. "$NS" in it is
// the namespace.
func (t *tenant) service(ctx context.Context, name, spec string) error {
	return t.try(ctx, serviceYAML(t.namespace, name, spec))
}

// idle applies a TriggerService that has no worker.
func (t *tenant) idle(ctx context.Context, name, triggers string) error {
	return t.service(ctx, name, "worker: {properties: {replicas: 0}}\ntriggers:\n"+triggers)
}

func serviceYAML(namespace, name, spec string) string {
	spec = strings.ReplaceAll(strings.TrimSpace(strings.ReplaceAll(spec, "$NS", namespace)), "\n", "\n  ")
	return fmt.Sprintf("apiVersion: standard.oam.dev/v1alpha1\nkind: TriggerService\nmetadata: {namespace: %s, name: %s}\nspec:\n  %s\n", namespace, name, spec)
}

// trigger returns the YAML of a trigger on ConfigMaps of the tenant's namespace that begin
// with "in".
func trigger(name, filter, action string) string {
	text := fmt.Sprintf("- name: %s\n  source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: $NS, events: [create, update]}}\n  action: %s\n", name, action)
	if filter != "" {
		text += fmt.Sprintf("  filter: %q\n", filter)
	}
	return text
}

// definition applies a Definition of the tenant.
func (t *tenant) definition(ctx context.Context, name, kind, template string) error {
	d := &corev1alpha1.Definition{ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: name}}
	d.Spec.Type, d.Spec.Templates = kind, map[string]string{corev1alpha1.MainTemplate: template}
	return client.IgnoreAlreadyExists(t.client.Create(ctx, d))
}

// configMap creates or updates a ConfigMap of the tenant.
func (t *tenant) configMap(ctx context.Context, name string, data map[string]string) error {
	o := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: name}, Data: data}
	err := t.client.Update(ctx, o)
	if apierrors.IsNotFound(err) {
		return t.client.Create(ctx, o)
	}
	return err
}

// running applies a TriggerService main, and waits until its worker runs.
func (t *tenant) running(ctx context.Context, spec string) {
	if err := t.service(ctx, "main", spec); err != nil {
		t.Errorf("TriggerService main: %v", err)
		return
	}
	for ctx.Err() == nil {
		ts := &v1alpha1.TriggerService{}
		err := t.installation.admin.Get(ctx, types.NamespacedName{Namespace: t.namespace, Name: "main"}, ts)
		if err == nil && ts.Status.WorkerGeneration == ts.Generation {
			return
		}
		wait(ctx, 50*time.Millisecond)
	}
}

// maxCleanup is the maximum time until what belonged to a tenant's TriggerServices is
// deleted. Kubernetes deletes 1,000 Deployments within some minutes.
const maxCleanup = 10 * time.Minute

// leave deletes the tenant's TriggerServices, and waits until its workers have ended and
// what belonged to them is deleted: Kubernetes does that in the same queues in which it
// starts the pods of others.
func (t *tenant) leave() {
	t.Helper()
	cluster.Eventually(t, "end of the tenant's workers", func(ctx context.Context) error {
		err := t.installation.admin.DeleteAllOf(ctx, &v1alpha1.TriggerService{}, client.InNamespace(t.namespace))
		if err == nil && len(t.installation.node.Pods(t.namespace)) > 0 {
			err = errors.New("pods remain")
		}
		return err
	})
	ctx, cancel := context.WithTimeout(t.Context(), maxCleanup)
	defer cancel()
	for {
		left, err := t.owned(ctx)
		if err == nil && left == 0 {
			return
		}
		if ctx.Err() != nil {
			t.Errorf("%d objects of the tenant's TriggerServices are left: %v", left, err)
			return
		}
		wait(ctx, time.Second)
	}
}

// owned returns the number of the tenant's objects that belong to others.
func (t *tenant) owned(ctx context.Context) (int, error) {
	n := 0
	for _, list := range []client.ObjectList{&appsv1.DeploymentList{}, &appsv1.ReplicaSetList{}, &corev1alpha1.DefinitionList{}} {
		if err := t.installation.admin.List(ctx, list, client.InNamespace(t.namespace)); err != nil {
			return n, err
		}
		items, err := meta.ExtractList(list)
		if err != nil {
			return n, err
		}
		for _, item := range items {
			if o, err := meta.Accessor(item); err == nil && len(o.GetOwnerReferences()) > 0 {
				n++
			}
		}
	}
	return n, nil
}

// wait waits, and returns early when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
