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

package loopguard_test

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/loopguard"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// bed is a ConfigMap "x", and a trigger that has had an event about it.
type bed struct {
	*testing.T
	kube      kubernetes.Interface
	namespace string
	log       *loopguard.Log
	trigger   *loopguard.Trigger
	// client is that of the trigger, and below the one that it is put on.
	client, below client.Client
	// meddle is called before a patch is sent.
	meddle func()
	sent   []string
}

// spy is the client below that of the trigger.
type spy struct {
	client.Client
	bed *bed
}

func (s spy) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
	data, _ := patch.Data(obj)
	s.bed.sent = append(s.bed.sent, string(data))
	if s.bed.meddle != nil {
		s.bed.meddle()
	}
	return s.Client.Patch(ctx, obj, patch, opts...)
}

func newBed(t *testing.T) *bed {
	c := cluster.Start(t)
	b := &bed{T: t, kube: c.Client(t), namespace: c.Namespace(t), log: loopguard.NewLog()}
	b.trigger = b.log.Of(event.Trigger{Name: "self"})
	b.connect(c.Config)
	return b
}

func (b *bed) connect(config *rest.Config) {
	b.Helper()
	inner, err := client.New(config, client.Options{})
	b.check(err)
	b.below = client.WithFieldOwner(spy{inner, b}, "kube-trigger/self")
	b.client = b.trigger.Client(b.below)
}

func (b *bed) check(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// edit writes as somebody else, and returns the event of that.
func (b *bed) edit(patch string) event.Event {
	b.Helper()
	o, err := b.kube.CoreV1().ConfigMaps(b.namespace).Patch(b.Context(), "x", types.MergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: "user"})
	b.check(err)
	return happened(o)
}

func (b *bed) create() event.Event {
	b.Helper()
	o, err := b.kube.CoreV1().ConfigMaps(b.namespace).Create(b.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, metav1.CreateOptions{})
	b.check(err)
	return happened(o)
}

func happened(o *corev1.ConfigMap) event.Event {
	return event.Event{
		Type: event.Update, Key: o.Namespace + "/" + o.Name, ID: string(o.UID) + "@" + o.ResourceVersion,
		Data: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"resourceVersion": o.ResourceVersion}},
	}
}

// now returns the event of the object's newest revision.
func (b *bed) now() event.Event {
	b.Helper()
	o, err := b.kube.CoreV1().ConfigMaps(b.namespace).Get(b.Context(), "x", metav1.GetOptions{})
	b.check(err)
	return happened(o)
}

func (b *bed) own(ev event.Event, want bool) {
	b.Helper()
	got, err := b.trigger.Own(b.Context(), ev)
	b.check(err)
	if got != want {
		b.Errorf("own is %v, want %v", got, want)
	}
}

func (b *bed) object() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"namespace": b.namespace, "name": "x"},
	}}
}

func (b *bed) patch(kind types.PatchType, data string) error {
	opts := []client.PatchOption{}
	if kind == types.ApplyPatchType {
		opts = append(opts, client.ForceOwnership)
	}
	return b.client.Patch(b.Context(), b.object(), client.RawPatch(kind, []byte(data)), opts...)
}
