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
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/source/resource"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// component is a source of an Application that watches the ConfigMap settings as an account of
// its own.
type component struct {
	*harness
	account string
	config  *rest.Config
}

// newComponent returns a source of an Application, not running yet, whose account has the
// verbs for the ConfigMap settings.
func (e env) newComponent(s *resource.Streams, application, account string, clk clock.Clock, verbs ...string) component {
	e.Helper()
	right := rule("configmaps", verbs...)
	right.ResourceNames = []string{"settings"}
	config := cluster.Start(e.T).ServiceAccount(e.T, e.namespace, account, right)
	properties := fmt.Sprintf(`{"apiVersion": "v1", "kind": "ConfigMap", "namespace": %q, "fieldSelector": "metadata.name=settings"}`, e.namespace)
	h := newHarness(e.T, config, properties, sharing(s, account), func(o *resource.Options) { o.Application, o.Clock = application, clk })
	return component{h, account, config}
}

// streams returns the number of streams that c has opened.
func (c component) streams() int { return len(c.transport.opened) }

// mayWatch reports whether the account of c may watch the ConfigMap settings.
func (e env) mayWatch(c component) bool {
	e.Helper()
	client, err := kubernetes.NewForConfig(c.config)
	if err != nil {
		e.Fatal(err)
	}
	review, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(e.Context(), &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: e.namespace, Verb: "watch", Resource: "configmaps", Name: "settings",
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		e.Fatal(err)
	}
	return review.Status.Allowed
}

// steppedClock is the real clock, some time ahead.
type steppedClock struct {
	clock.RealClock
	ahead atomic.Int64
}

func (c *steppedClock) step(d time.Duration) { c.ahead.Add(int64(d)) }

func (c *steppedClock) Now() time.Time { return c.RealClock.Now().Add(time.Duration(c.ahead.Load())) }

func (c *steppedClock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

// wantForbidden waits until the source of c ends because its account has no right to a verb.
func (e env) wantForbidden(c component, verb string) {
	e.Helper()
	err := c.waitForError()
	want := fmt.Sprintf(`User "system:serviceaccount:%s:%s" cannot %s resource "configmaps"`, e.namespace, c.account, verb)
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), want) {
		e.Errorf("got  %v\nwant %s", err, want)
	}
}

// Accounts of one Application share a stream, unless they may not watch the object. Those of
// another Application, and of none, do not.
func TestStreams_Application(t *testing.T) {
	e := newEnv(t)
	e.create("settings", nil)
	s := &resource.Streams{}
	var all []component
	for _, tc := range []struct{ application, account string }{
		{"c1/shop", "a"}, {"c1/shop", "b"}, {"c1/shop", "c"}, {"c2/shop", "d"}, {"", "e"}, {"", "f"},
	} {
		c := e.newComponent(s, tc.application, tc.account, clock.RealClock{}, "list", "watch")
		c.runAndWait()
		all = append(all, c)
	}
	eve := e.newComponent(s, "c1/shop", "eve", clock.RealClock{}, "list")
	eve.run()
	e.wantForbidden(eve, "watch")
	e.update("settings", `{"data": {"n": "1"}}`)
	for i, c := range all {
		e.want(c.waitForEvents(1), "update settings")
		want := 1
		if i == 1 || i == 2 {
			want = 0
		}
		if got := c.streams(); got != want {
			t.Errorf("account %s has opened %d streams, want %d", c.account, got, want)
		}
	}
	if got := eve.received(); len(got) > 0 {
		t.Errorf("an account without the right to watch got %v", brief(got))
	}
}

// An account that loses its right gets no event from the stream of another account. With the
// right again, it gets what it has missed.
func TestStreams_RevokedRight(t *testing.T) {
	e := newEnv(t)
	e.create("settings", nil)
	s, clk := &resource.Streams{}, &steppedClock{}
	a := e.newComponent(s, "c1/shop", "a", clk, "list", "watch")
	b := e.newComponent(s, "c1/shop", "b", clk, "list", "watch")
	a.runAndWait()
	b.runAndWait()
	e.update("settings", `{"data": {"n": "1"}}`)
	e.want(b.waitForEvents(1), "update settings")

	bindings := e.client.RbacV1().RoleBindings(e.namespace)
	binding, err := bindings.Get(t.Context(), "b", getOptions())
	if err != nil {
		t.Fatal(err)
	}
	if err := bindings.Delete(t.Context(), "b", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return !e.mayWatch(b) })
	clk.step(resource.CheckValidity)
	e.update("settings", `{"data": {"n": "2"}}`)
	e.wantForbidden(b, "list")
	e.want(a.waitForEvents(2), "update settings", "update settings")
	e.want(b.received(), "update settings")

	restored := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "b"}, RoleRef: binding.RoleRef, Subjects: binding.Subjects}
	if _, err := bindings.Create(t.Context(), restored, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return e.mayWatch(b) })
	clk.step(resource.CheckValidity)
	b.run()
	e.want(b.waitForEvents(2), "update settings", "update settings")
}

// A stream ends when its account reads it no more: the others watch as themselves, and lose
// and repeat nothing.
func TestStreams_AccountLeaves(t *testing.T) {
	e := newEnv(t)
	e.create("settings", nil)
	s := &resource.Streams{}
	var all []component
	for _, account := range []string{"a", "b", "c"} {
		c := e.newComponent(s, "c1/shop", account, clock.RealClock{}, "list", "watch")
		c.runAndWait()
		all = append(all, c)
	}
	e.update("settings", `{"data": {"n": "1"}}`)
	for _, c := range all {
		c.waitForEvents(1)
	}
	all[0].stop()
	e.update("settings", `{"data": {"n": "2"}}`)
	for _, c := range all[1:] {
		e.want(c.waitForEvents(2), "update settings", "update settings")
	}
	e.update("settings", `{"data": {"n": "3"}}`)
	for _, c := range all[1:] {
		e.want(c.waitForEvents(3), "update settings", "update settings", "update settings")
	}
	if all[1].streams()+all[2].streams() == 0 {
		t.Error("the stream of an account has outlived its last reader")
	}
}

// An account that waits for the stream of another one, which then may not watch, watches as
// itself.
func TestStreams_ForbiddenToOther(t *testing.T) {
	e := newEnv(t)
	e.create("settings", nil)
	s := &resource.Streams{}
	eve := e.newComponent(s, "c1/shop", "eve", clock.RealClock{}, "list")
	eve.transport.hold = make(chan struct{})
	eve.run()
	eventually(t, func() bool { return s.Readers() == 1 })
	a := e.newComponent(s, "c1/shop", "a", clock.RealClock{}, "list", "watch")
	a.run()
	eventually(t, func() bool { return s.Readers() == 2 })
	close(eve.transport.hold)
	e.wantForbidden(eve, "watch")
	a.waitForWatch()
	e.update("settings", `{"data": {"n": "1"}}`)
	e.want(a.waitForEvents(1), "update settings")
}
