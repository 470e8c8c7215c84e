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
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/multicluster"
)

// held returns the quarantined and the paused triggers of the engine, by name.
func (s *Status) held() (quarantined map[string]engine.Quarantine, paused map[string]engine.Pause) {
	quarantined, paused = map[string]engine.Quarantine{}, map[string]engine.Pause{}
	if s.quarantines == nil {
		return quarantined, paused
	}
	for _, q := range s.quarantines() {
		quarantined[q.Trigger.Name] = q
	}
	for _, p := range s.pauses() {
		paused[p.Trigger.Name] = p
	}
	return quarantined, paused
}

// pauseState returns the state of a paused trigger. One whose other objects do not wait
// is running.
func pauseState(p engine.Pause) (state v1alpha1.TriggerState, message string) {
	next := p.NextProbe.UTC().Format(time.RFC3339)
	if p.Object != "" {
		return v1alpha1.TriggerRunning, fmt.Sprintf(
			"another client undid the trigger's write to %s %d times in a row; the events of %d objects wait, and it is written again at %s; set the field in one place only, or accept the other client's value in the filter",
			p.Object, p.Turns, p.Waiting, next)
	}
	return v1alpha1.TriggerPaused, fmt.Sprintf("%d events followed the trigger's own actions, without a known cause; the events of %d objects wait, and one is handled at %s to see whether others follow it",
		p.Turns, p.Waiting, next)
}

// state returns the state of a trigger that is valid and not suspended.
func (s *Status) state(t *triggerState, q engine.Quarantine, quarantined bool) (state v1alpha1.TriggerState, reason, message string) {
	now := s.clock.Now()
	switch {
	case s.blocked != "":
		return v1alpha1.TriggerWaiting, s.blockedReason, s.blocked
	case q.Crashed:
		return v1alpha1.TriggerQuarantined, v1alpha1.TriggerReasonCrashed, "an evaluation has crashed the worker twice; change the filter or action"
	case quarantined:
		message := "action does not terminate"
		if q.Evaluation {
			message = "filter evaluation does not terminate"
		}
		return v1alpha1.TriggerQuarantined, v1alpha1.TriggerReasonHung, message
	case t.starting:
		return v1alpha1.TriggerWaiting, v1alpha1.TriggerReasonStarting, ""
	case t.watchErr != nil:
		reason := v1alpha1.TriggerReasonSourceFailed
		switch {
		case meta.IsNoMatchError(t.watchErr):
			reason = v1alpha1.TriggerReasonKindNotFound
		case isForbidden(t.watchErr):
			reason = v1alpha1.TriggerReasonForbidden
		}
		return v1alpha1.TriggerWaiting, reason, diag.Truncate(t.watchErr.Error(), maxText)
	case t.sourceErr != nil && now.Before(t.sourceErrUntil):
		reason := v1alpha1.TriggerReasonSourceFailed
		if isForbidden(t.sourceErr) {
			reason = v1alpha1.TriggerReasonForbidden
		}
		return v1alpha1.TriggerWaiting, reason, diag.Truncate(t.sourceErr.Error(), maxText)
	case t.clusterErr != nil:
		return clusterState(t.clusterErr)
	case !t.loopBrokenAt.IsZero() && now.Sub(t.loopBrokenAt) < loopBrokenPeriod:
		return v1alpha1.TriggerRunning, v1alpha1.TriggerReasonLoopBroken,
			"triggers keep causing events for one object; some are dead-lettered: " + t.status.LastError
	}
	return v1alpha1.TriggerRunning, "", ""
}

// clusterState returns the state of a trigger with unavailable clusters. It is running
// as long as one cluster can be watched.
func clusterState(err error) (state v1alpha1.TriggerState, reason, message string) {
	message = diag.Truncate(err.Error(), maxText)
	if unavailable := (*multicluster.UnavailableError)(nil); errors.As(err, &unavailable) && unavailable.Ready > 0 {
		return v1alpha1.TriggerRunning, v1alpha1.TriggerReasonClusterUnreachable, message
	}
	if isForbidden(err) {
		return v1alpha1.TriggerWaiting, v1alpha1.TriggerReasonForbidden, message
	}
	return v1alpha1.TriggerWaiting, v1alpha1.TriggerReasonClusterUnreachable, message
}

// isForbidden reports whether the API server forbade a request.
func isForbidden(err error) bool {
	status := apierrors.APIStatus(nil)
	return errors.As(err, &status) && status.Status().Reason == metav1.StatusReasonForbidden
}
