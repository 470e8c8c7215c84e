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

package cluster

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
)

const (
	// reasonFired is the reason of a dead letter that requests to fire a trigger.
	reasonFired = "Fired"
	// fireSource is the source of the event in such a request.
	fireSource = "fire"
)

// Fire requests to fire a trigger of the owner once, and returns the ID of the request. It is a
// dead letter without an attempt, whose replay is requested: it is kept until the trigger is done
// with it. object is nil for a trigger without objects.
func (d DeadLetters) Fire(ctx context.Context, t event.TriggerRef, object *v1alpha1.FiredObject) (string, error) {
	id := strings.ReplaceAll(uuid.NewString(), "-", "")
	te := &v1alpha1.TriggerEvent{ObjectMeta: d.newMeta(d.deadLetterName(id), deadLetterRecord, map[string]string{replayLabel: "requested"})}
	now := sortableTime(d.options.Clock.Now())
	te.Annotations[orderAnnotation], te.Annotations[replayAnnotation] = now, now
	te.Spec = v1alpha1.TriggerEventSpec{
		Event:   v1alpha1.Event{Source: fireSource},
		Trigger: &v1alpha1.TriggerReference{Name: t.Name, Namespace: t.Namespace},
		Fire:    &v1alpha1.Fire{TriggerService: d.options.Owner, Object: object},
	}
	return id, d.wrapError("fire", d.client.Create(ctx, te))
}

// decodeFire returns the dead letter l that te, a request to fire a trigger, stands for. Nothing
// but the reference is taken from te.
func (d DeadLetters) decodeFire(te *v1alpha1.TriggerEvent, l store.DeadLetter) (store.DeadLetter, error) {
	// The API server has checked that the user may fire this TriggerService. For another one
	// there is no trigger.
	if te.Spec.Fire.TriggerService == d.options.Owner {
		l.Trigger = event.TriggerRef{Name: te.Spec.Trigger.Name, Namespace: te.Spec.Trigger.Namespace}
	}
	l.Event = event.Event{Source: fireSource, ID: event.FiredID(string(te.UID)), Time: te.CreationTimestamp.UTC()}
	if o := te.Spec.Fire.Object; o != nil {
		metadata := map[string]any{"name": o.Name}
		l.Event.Key = o.Name
		if o.Namespace != "" {
			metadata["namespace"], l.Event.Key = o.Namespace, o.Namespace+"/"+o.Name
		}
		l.Event.Data = map[string]any{"apiVersion": o.APIVersion, "kind": o.Kind, "metadata": metadata}
	}
	l.Reason, l.Omitted = reasonFired, store.OmittedReference
	var err error
	l.ReplayRequestedAt, err = replayRequestedAt(te)
	return l, err
}
