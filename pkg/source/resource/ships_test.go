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
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/multicluster"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// ships is three control planes: the hub, and two that may join it. In each there is
// a namespace of that name.
type ships struct {
	*testing.T
	planes    map[string]*cluster.Cluster
	namespace string
	away      *aways
}

// aways is what was said last of triggers, by name.
type aways struct {
	mu   sync.Mutex
	said map[string]string
}

func (a *aways) say(t event.Trigger, why error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.said[t.Name] = "works"
	if some := (*multicluster.Away)(nil); errors.As(why, &some) {
		a.said[t.Name] = fmt.Sprintf("%d work; %v", some.Working, why)
	}
}

// none forgets what was said.
func (a *aways) none() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.said)
}

func newShips(t *testing.T) ships {
	s := ships{T: t, planes: map[string]*cluster.Cluster{"hub": cluster.Start(t)}, away: &aways{said: map[string]string{}}}
	var starting sync.WaitGroup
	var mu sync.Mutex
	for _, name := range []string{"a", "b"} {
		starting.Go(func() {
			c := cluster.Start(t, cluster.Own())
			mu.Lock()
			defer mu.Unlock()
			s.planes[name] = c
		})
	}
	starting.Wait()
	if t.Failed() {
		t.FailNow()
	}
	s.fresh()
	return s
}

// fresh gives the planes a new namespace.
func (s *ships) fresh() {
	s.namespace = s.planes["hub"].Namespace(s.T)
	for _, name := range []string{"a", "b"} {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}}
		if _, err := s.planes[name].Client(s).CoreV1().Namespaces().Create(s.Context(), ns, metav1.CreateOptions{}); err != nil {
			s.Fatal(err)
		}
	}
}

// join joins a plane to the hub.
func (s ships) join(plane, as string, labels string) {
	s.Helper()
	given := map[string]string{}
	if key, value, ok := strings.Cut(labels, "="); ok {
		given[key] = value
	}
	s.planes["hub"].Join(s, as, given, s.planes[plane].Config)
	s.Cleanup(func() { s.planes["hub"].Leave(s, as) })
}

func (s ships) ask(trigger, where string) asked {
	return asked{source.Trigger{Trigger: event.Trigger{Name: trigger}}, fmt.Sprintf(
		`{"apiVersion": "v1", "kind": "ConfigMap", "namespace": %q, "fieldSelector": "metadata.name!=kube-root-ca.crt", %s}`, s.namespace, where)}
}

// by returns the option to reach clusters by their Secrets, as config says.
func (s ships) by(config *rest.Config) option {
	return func(o *resource.Options) {
		client, err := rest.HTTPClientFor(config)
		if err != nil {
			s.Fatal(err)
		}
		if o.Clusters, err = multicluster.New(config, client, multicluster.Auto, clock.RealClock{}); err != nil {
			s.Fatal(err)
		}
		o.Away = s.away.say
	}
}

func (s ships) create(plane, name string) {
	s.Helper()
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := s.planes[plane].Client(s).CoreV1().ConfigMaps(s.namespace).Create(s.Context(), cm, metav1.CreateOptions{}); err != nil {
		s.Fatal(err)
	}
}

func (s ships) update(plane, name, value string) {
	s.Helper()
	patch := fmt.Sprintf(`{"data": {"v": %q}}`, value)
	if _, err := s.planes[plane].Client(s).CoreV1().ConfigMaps(s.namespace).Patch(s.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		s.Fatal(err)
	}
}

func (s ships) delete(plane, name string) {
	s.Helper()
	if err := s.planes[plane].Client(s).CoreV1().ConfigMaps(s.namespace).Delete(s.Context(), name, metav1.DeleteOptions{}); err != nil {
		s.Fatal(err)
	}
}

// hears waits until that is what was said last of a trigger.
func (s ships) hears(trigger, want string) {
	s.Helper()
	for deadline := time.Now().Add(cluster.Patience); ; time.Sleep(5 * time.Millisecond) {
		s.away.mu.Lock()
		got := s.away.said[trigger]
		s.away.mu.Unlock()
		if ok := got == want || strings.HasSuffix(want, "…") && strings.HasPrefix(got, strings.TrimSuffix(want, "…")); ok {
			return
		}
		if time.Now().After(deadline) {
			s.Fatalf("of %s it was said %q, want %q", trigger, got, want)
		}
	}
}

// gets waits for what the trigger of a number takes beyond before, in any order of
// clusters: "a update x".
func (s ships) gets(r *running, trigger int, want ...string) {
	s.Helper()
	slices.Sort(want)
	var got []string
	for deadline := time.Now().Add(cluster.Patience); ; time.Sleep(5 * time.Millisecond) {
		got = nil
		for _, ev := range r.taken(trigger) {
			_, name, _ := strings.Cut(ev.Key, "/")
			got = append(got, fmt.Sprintf("%s %s %s", ev.Cluster, ev.Type, name))
		}
		if len(got) >= len(want) || time.Now().After(deadline) {
			break
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		s.Fatal(diff)
	}
}

// watching reports whether the log says that a cluster is watched.
func watching(r *running, cluster string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.lines, func(line string) bool {
		return strings.Contains(line, `"watching"`) && strings.Contains(line, fmt.Sprintf(`"cluster"=%q`, cluster))
	})
}
