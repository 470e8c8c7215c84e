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

package config_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/kubevela/kube-trigger/pkg/dynamicclient"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/config"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
	"github.com/kubevela/kube-trigger/test/cluster"
	"github.com/kubevela/kube-trigger/test/sources"
)

// env is a namespace of a cluster with ConfigMaps and Secrets.
type env struct {
	*testing.T
	cluster *cluster.Cluster
	client  client.Client
	ns      string
}

func newEnv(t *testing.T) env {
	t.Helper()
	c := cluster.Start(t)
	cl, err := client.New(c.Config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return env{t, c, cl, c.Namespace(t)}
}

func (e env) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: e.ns, Name: name}
}

func (e env) create(o client.Object) {
	e.Helper()
	if err := e.client.Create(e.Context(), o); err != nil {
		e.Fatal(err)
	}
}

// set changes an object by a merge patch.
func (e env) set(o client.Object, patch string) {
	e.Helper()
	if err := e.client.Patch(e.Context(), o, client.RawPatch("application/merge-patch+json", []byte(patch))); err != nil {
		e.Fatal(err)
	}
}

// expect waits for the events of a trigger: their types and names.
func (e env) expect(p *sources.Process, trigger string, want ...string) {
	e.Helper()
	var got []string
	for _, ev := range p.WaitForEvents(trigger, len(want)) {
		got = append(got, fmt.Sprintf("%s %s %s", ev.Source, ev.Type, ev.Data["metadata"].(map[string]any)["name"]))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		e.Errorf("trigger %s: %s", trigger, diff)
	}
}

// TestConfig delivers changes of data to the triggers that list the object, and neither loses
// nor repeats any when a list changes.
func TestConfig(t *testing.T) {
	e := newEnv(t)
	a, b := &corev1.ConfigMap{ObjectMeta: e.meta("a")}, &corev1.Secret{ObjectMeta: e.meta("b")}
	c, end := &corev1.ConfigMap{ObjectMeta: e.meta("c")}, &corev1.ConfigMap{ObjectMeta: e.meta("end")}
	for _, o := range []client.Object{a, b, c, end} {
		e.create(o)
	}
	program := sources.Program{Config: e.cluster.Config, New: config.New, Folder: t.TempDir(), Namespace: e.ns, Triggers: map[string]string{
		"both": "objects: [{kind: ConfigMap, name: a}, {kind: Secret, name: b}, {kind: ConfigMap, name: later}, {kind: ConfigMap, name: end}]",
		"one":  "objects: [{kind: ConfigMap, name: a}, {kind: ConfigMap, name: a}]\nevents: [update, delete]",
		"none": "objects: []",
	}}
	p := program.Start(t)
	e.set(a, `{"data": {"k": "1"}}`)
	p.WaitForEvents("both", 1) // the objects have watches of their own
	e.set(a, `{"metadata": {"labels": {"k": "2"}}}`)
	e.set(b, `{"stringData": {"k": "1"}}`)
	p.WaitForEvents("both", 2)
	e.create(&corev1.ConfigMap{ObjectMeta: e.meta("later")})
	p.WaitForEvents("both", 3)
	e.set(c, `{"data": {"k": "1"}}`)
	e.set(end, `{"data": {"k": "1"}}`)
	e.expect(p, "both", "config update a", "config update b", "config create later", "config update end")
	e.expect(p, "one", "config update a")
	p.Stop()

	e.set(a, `{"data": {"k": "2"}}`)
	program.Triggers["both"] = "objects: [{kind: ConfigMap, name: a}, {kind: ConfigMap, name: c}, {kind: ConfigMap, name: end}]"
	p = program.Start(t)
	p.WaitForEvents("both", 1)
	e.set(c, `{"binaryData": {"b": "MQ=="}}`)
	p.WaitForEvents("both", 2)
	e.set(b, `{"stringData": {"k": "2"}}`)
	e.set(end, `{"data": {"k": "2"}}`)
	e.expect(p, "both", "config update a", "config update c", "config update end")
	if err := e.client.Delete(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	e.expect(p, "one", "config update a", "config delete a")
	if got := p.Events("none"); len(got) > 0 {
		t.Errorf("trigger none: %v", got)
	}
}

// TestConfig_Forbidden watches one object while another one is forbidden, and reports that.
func TestConfig_Forbidden(t *testing.T) {
	e := newEnv(t)
	a := &corev1.ConfigMap{ObjectMeta: e.meta("a")}
	e.create(a)
	e.create(&rbacv1.Role{ObjectMeta: e.meta("watch"), Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{"a"}, Verbs: []string{"get", "list", "watch"}},
	}})
	e.create(&rbacv1.RoleBinding{
		ObjectMeta: e.meta("watch"), RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "watch"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: e.ns, Name: "limited"}},
	})
	statuses, delivered := make(chan error, 100), make(chan event.Event, 100)
	o := e.options(e.cluster.ServiceAccount(t, e.ns, "limited"))
	o.OnStatus = func(_ string, err error) { statuses <- err }
	s, problems := config.New(o).Compile(map[string]any{"objects": []any{
		map[string]any{"kind": "ConfigMap", "name": "a"}, map[string]any{"kind": "Secret", "name": "b"},
	}}, source.Spec{TriggerRef: event.TriggerRef{Name: "t", Namespace: e.ns}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Open([]source.Subscription{s}).Run(ctx, sink(delivered)) }()
	select {
	case err := <-statuses:
		if err == nil || !strings.Contains(err.Error(), `secrets "b" is forbidden`) {
			t.Errorf("status %v, want that Secret b is forbidden", err)
		}
	case <-time.After(sources.WaitTimeout):
		t.Fatal("no status")
	}
	cluster.Eventually(t, "an event of ConfigMap a", func(context.Context) error {
		e.set(a, fmt.Sprintf(`{"data": {"k": "%d"}}`, time.Now().UnixNano()))
		select {
		case <-delivered:
			return nil
		default:
			return errors.New("none")
		}
	})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// options returns options with clients of an account.
func (e env) options(c *rest.Config) resource.Options {
	e.Helper()
	http, err := rest.HTTPClientFor(c)
	if err != nil {
		e.Fatal(err)
	}
	e.Cleanup(http.CloseIdleConnections)
	o := resource.Options{Clock: clock.RealClock{}}
	var err1, err2, err3 error
	o.Mapper, err1 = apiutil.NewDynamicRESTMapper(c, http)
	o.Client, err2 = dynamicclient.New(c, http)
	o.Metadata, err3 = metadata.NewForConfigAndClient(c, http)
	if err := errors.Join(err1, err2, err3); err != nil {
		e.Fatal(err)
	}
	return o
}

// sink receives events and acknowledges them.
type sink chan<- event.Event

func (s sink) Deliver(_ context.Context, ev event.Event, d source.Delivery) error {
	s <- ev
	d.Done()
	return nil
}
