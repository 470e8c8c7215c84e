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

package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/diag"
)

const (
	// reportInterval is the minimum time between two writes of the status.
	reportInterval = 2 * time.Second
	// reportTimeout is the timeout of one write.
	reportTimeout = 5 * time.Second
	// eventInterval is the minimum time between two Kubernetes events with the same
	// trigger and reason.
	eventInterval = 5 * time.Minute
	// maxEvent is the maximum length of a Kubernetes event's message, in bytes.
	maxEvent = 1000
	// fieldManager is the field manager of the status fields that the worker writes.
	fieldManager = "kube-trigger-worker"
)

// Reporter writes a Status to the status of its TriggerService, and records Kubernetes
// events for triggers that stop running and for dead letters.
type Reporter struct {
	Client client.Client
	Events record.EventRecorder
	Clock  clock.Clock

	lastWritten v1alpha1.TriggerServiceStatus
	lastEvents  map[string]time.Time
}

// Run writes each change of status until ctx ends: immediately once all sources have
// started, otherwise every 2s. It writes once more when ctx ends. Only the
// TriggerService with the UID of ts is written, not a later one of the same name.
func (r *Reporter) Run(ctx context.Context, ts *v1alpha1.TriggerService, status *Status) {
	r.lastWritten, r.lastEvents = v1alpha1.TriggerServiceStatus{}, map[string]time.Time{}
	for {
		select {
		case <-ctx.Done():
			r.report(context.WithoutCancel(ctx), ts, status)
			return
		case <-status.ready:
		case <-r.Clock.After(reportInterval):
		}
		r.report(ctx, ts, status)
	}
}

func (r *Reporter) report(ctx context.Context, ts *v1alpha1.TriggerService, status *Status) {
	current := status.Current()
	if current.WorkerGeneration == 0 || equality.Semantic.DeepEqual(current, r.lastWritten) {
		return
	}
	r.recordEvents(ts, current)
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	if err := r.patchStatus(ctx, ts, current); err != nil {
		logr.FromContextOrDiscard(ctx).Info("Status not written; retrying", "reason", err.Error())
		return
	}
	r.lastWritten = current
}

// patchStatus replaces the status fields that the worker owns.
func (r *Reporter) patchStatus(ctx context.Context, ts *v1alpha1.TriggerService, status v1alpha1.TriggerServiceStatus) error {
	text, err := json.Marshal(status)
	if err != nil {
		return err
	}
	// Fields that are empty now may have been set before.
	fields := map[string]any{"workerGeneration": nil, "workerMessage": nil, "suspectedGeneration": nil, "readyTriggers": nil, "configObjects": nil, "succeeded": nil, "deadLetters": nil, "storedDeadLetters": nil, "lastActionTime": nil, "triggers": nil}
	var current map[string]any
	if err := json.Unmarshal(text, &current); err != nil {
		return err
	}
	maps.Copy(fields, current)
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		// A status patch ignores metadata.uid, but not metadata.resourceVersion.
		o := &metav1.PartialObjectMetadata{}
		o.SetGroupVersionKind(v1alpha1.GroupVersion().WithKind(v1alpha1.TriggerServiceKind))
		err := r.Client.Get(ctx, client.ObjectKeyFromObject(ts), o)
		if apierrors.IsNotFound(err) || err == nil && o.UID != ts.UID {
			return nil // deleted, or replaced by another one of the same name
		}
		if err != nil {
			return err
		}
		patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"resourceVersion": o.ResourceVersion}, "status": fields})
		if err != nil {
			return err
		}
		return r.Client.Status().Patch(ctx, o, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(fieldManager))
	})
}

// ReasonVersionIgnored is the reason of Kubernetes events about an accepted version that a
// worker ignores.
const ReasonVersionIgnored = "VersionIgnored"

// reasonDeadLetter is the reason of Kubernetes events about new dead letters.
const reasonDeadLetter = "DeadLetter"

// recordEvents records an event for each trigger with a new reason or new dead letters.
func (r *Reporter) recordEvents(ts *v1alpha1.TriggerService, current v1alpha1.TriggerServiceStatus) {
	before := map[string]v1alpha1.TriggerStatus{}
	for _, t := range r.lastWritten.Triggers {
		before[t.Name] = t
	}
	for _, t := range current.Triggers {
		old, known := before[t.Name]
		switch {
		case t.Reason != "" && t.Reason != old.Reason && t.Reason != v1alpha1.TriggerReasonStarting:
			r.recordEvent(ts, t.Name, t.Reason, t.Message)
		case known && t.DeadLetters > old.DeadLetters:
			r.recordEvent(ts, t.Name, reasonDeadLetter, fmt.Sprintf("new dead letters: %d; last error: %s", t.DeadLetters-old.DeadLetters, t.LastError))
		}
	}
}

func (r *Reporter) recordEvent(ts *v1alpha1.TriggerService, trigger, reason, message string) {
	key := trigger + "/" + reason
	if last, ok := r.lastEvents[key]; ok && r.Clock.Since(last) < eventInterval {
		return
	}
	r.lastEvents[key] = r.Clock.Now()
	r.Events.Event(ts, corev1.EventTypeWarning, reason, diag.Truncate(fmt.Sprintf("trigger %q: %s", trigger, message), maxEvent))
}
