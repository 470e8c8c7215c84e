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

package app

import (
	"context"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/explain"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/store/cluster"
)

// FireOptions select a trigger to fire by hand.
type FireOptions struct {
	ClusterOptions

	// Namespace is that of Service. Defaults to the namespace of the kubeconfig.
	Namespace string
	// Service and Trigger are the names of the TriggerService and its trigger.
	Service, Trigger string
	// Object is KIND/NAME or KIND/NAMESPACE/NAME; empty for a trigger with a schedule.
	Object string
}

// Fired is a request to fire a trigger. It is a dead letter, and gone when the trigger is done.
type Fired struct {
	ID             string `json:"id"`
	TriggerService string `json:"triggerService"`
	Trigger        string `json:"trigger"`
	Object         string `json:"object,omitempty"`
}

// Fire requests to fire a trigger once. The worker reads the object as the account of the
// TriggerService.
func Fire(ctx context.Context, o FireOptions) (Fired, error) {
	c, err := o.newCallerClient(o.Namespace)
	if err != nil {
		return Fired{}, err
	}
	ts, err := c.triggerService(ctx, o.Service)
	if err != nil {
		return Fired{}, err
	}
	rules, err := selectRule(c.rules(ts), o.Trigger)
	if err != nil {
		return Fired{}, err
	}
	out := Fired{TriggerService: ts.Namespace + "/" + ts.Name, Trigger: rules[0].Name}
	object, err := c.firedObject(rules[0], o.Object)
	if err != nil {
		return Fired{}, InvalidError{fmt.Errorf("trigger %q: %w", rules[0].Name, err)}
	}
	if object != nil {
		out.Object = fmt.Sprintf("%s %s/%s", object.Kind, object.Namespace, object.Name)
	}
	d, err := cluster.OpenDeadLetters(cluster.Options{
		Client: cluster.ClientOptions{Config: c.config}, Namespace: ts.Namespace, Owner: ts.Name,
		OwnerReferences: []metav1.OwnerReference{ownerReference(ts)},
	})
	if err != nil {
		return Fired{}, err
	}
	out.ID, err = d.Fire(ctx, rules[0].TriggerRef, object)
	return out, err
}

// firedObject returns the reference to the object that a rule is fired with; nil for a schedule.
func (c *callerClient) firedObject(r explain.Rule, text string) (*v1alpha1.FiredObject, error) {
	if r.Suspended {
		return nil, errors.New("is suspended; it handles no events")
	}
	if r.Subscription == nil {
		return nil, fmt.Errorf("its source %q is not valid, or cannot be fired by hand", r.SourceType)
	}
	_, ticks := r.Subscription.(source.Ticker)
	switch {
	case ticks && text != "":
		return nil, errors.New("has a schedule: leave out --object")
	case ticks:
		return nil, nil //nolint:nilnil // a schedule has no object
	case text == "":
		return nil, errors.New("name the object to handle with --object KIND/NAME")
	}
	o, err := c.object(text)
	if err != nil {
		return nil, fmt.Errorf("--object %w", err)
	}
	ref := &v1alpha1.FiredObject{APIVersion: o.Kind.GroupVersion().String(), Kind: o.Kind.Kind, Namespace: o.Key.Namespace, Name: o.Key.Name}
	return ref, checkFired(r.SourceType, r.Subscription.Watch(), ref)
}
