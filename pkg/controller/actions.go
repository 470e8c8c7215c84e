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

package controller

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/sandbox"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// definition returns the Definition of a name and type in the first of
// namespaces that has one, nil where none does.
func (r *reconciler) definition(ctx context.Context, typ, name string, namespaces ...string) (*corev1alpha1.Definition, error) {
	for _, namespace := range namespaces {
		for _, n := range []string{typ + "-" + name, name} {
			d := &corev1alpha1.Definition{}
			err := r.client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: n}, d)
			if client.IgnoreNotFound(err) != nil {
				return nil, fmt.Errorf("get Definition %s/%s: %w", namespace, n, err)
			}
			if err == nil && d.Spec.Type == typ {
				return d, nil
			}
		}
	}
	return nil, nil
}

// actions returns the actions of ts that Definitions make, by name, and what
// those Definitions are called.
func (r *reconciler) actions(ctx context.Context, ts *v1alpha1.TriggerService) (map[string]sandbox.Action, map[string]string, error) {
	held := &corev1alpha1.Definition{}
	key := types.NamespacedName{Namespace: ts.Namespace, Name: trigger.ActionsName(ts.Name)}
	if err := client.IgnoreNotFound(r.client.Get(ctx, key, held)); err != nil {
		return nil, nil, fmt.Errorf("get Definition %s: %w", key, err)
	}
	last := map[string]string{}
	if metav1.IsControlledBy(held, ts) {
		last = held.Spec.Templates
	}
	actions, from := map[string]sandbox.Action{}, map[string]string{}
	for _, name := range actionTypes(ts) {
		d, err := r.definition(ctx, corev1alpha1.TriggerAction, name, append([]string{ts.Namespace}, r.SystemNamespaces...)...)
		if err != nil {
			return nil, nil, err
		}
		if d == nil {
			continue // built in, or unknown
		}
		actions[name] = sandbox.Action{Source: d.Spec.Templates[corev1alpha1.MainTemplate], Last: last[name]}
		from[name] = d.Namespace + "/" + d.Name
	}
	return actions, from, nil
}

// handOver gives the worker the actions that are in force.
func (r *reconciler) handOver(ctx context.Context, ts *v1alpha1.TriggerService, inForce map[string]string) error {
	d := &corev1alpha1.Definition{
		TypeMeta: metav1.TypeMeta{APIVersion: corev1alpha1.GroupVersion().String(), Kind: corev1alpha1.DefinitionKind},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: ts.Namespace, Name: trigger.ActionsName(ts.Name),
			Labels: workerLabels(ts), OwnerReferences: []metav1.OwnerReference{ownedBy(ts, true)},
		},
		Spec: corev1alpha1.DefinitionSpec{Type: corev1alpha1.TriggerActionsInForce, Templates: inForce},
	}
	if len(inForce) > 0 {
		return r.apply(ctx, d, &corev1alpha1.Definition{}, controlledBy(ts))
	}
	if err := r.client.Get(ctx, client.ObjectKeyFromObject(d), d); err != nil {
		return client.IgnoreNotFound(err)
	}
	if !metav1.IsControlledBy(d, ts) {
		return nil
	}
	return r.remove(ctx, d)
}

// checks remembers what was found out about each TriggerService, since nothing
// but what was asked changes it.
type checks struct {
	checker sandbox.Checker

	mu    sync.Mutex
	known map[types.NamespacedName]check
}

type check struct {
	asked  string
	report sandbox.Report
}

func (c *checks) check(ctx context.Context, request sandbox.Request) (sandbox.Report, error) {
	text, err := json.Marshal(request)
	if err != nil {
		return sandbox.Report{}, err
	}
	sum := sha256.Sum256(text)
	key, asked := client.ObjectKeyFromObject(&request.Service), hex.EncodeToString(sum[:])
	c.mu.Lock()
	known := c.known[key]
	c.mu.Unlock()
	if known.asked == asked {
		return known.report, nil
	}
	report, err := c.checker.Check(ctx, request)
	if err != nil {
		return sandbox.Report{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = map[types.NamespacedName]check{}
	}
	c.known[key] = check{asked, report}
	return report, nil
}

// forget is called when a TriggerService is gone.
func (c *checks) forget(key types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, key)
}

// request is what of ts its validity depends on.
func request(ts *v1alpha1.TriggerService, actions map[string]sandbox.Action) sandbox.Request {
	return sandbox.Request{
		Service: v1alpha1.TriggerService{
			ObjectMeta: metav1.ObjectMeta{Namespace: ts.Namespace, Name: ts.Name}, Spec: ts.Spec,
		},
		Actions: actions,
	}
}
