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

package application

import (
	"bytes"
	"crypto/sha256"
	"strings"

	workflowv1alpha1 "github.com/kubevela/workflow/api/v1alpha1"
)

// changes returns the changes of app from state before to state now, by the names of
// the property events. If before is nil, the whole state counts as changed.
//
// The status is not decoded into AppStatus, for speed, and because that lacks the phase and the
// end of a workflow.
func changes(before, now *state, app map[string]any) map[string]any {
	old := before
	if old == nil {
		old = &state{}
	}
	status := object(app, "status")
	changed := map[string]any{}
	if now.Phase != old.Phase && now.Phase != "" {
		change := map[string]any{"to": now.Phase}
		if old.Phase != "" {
			change["from"] = old.Phase
		}
		changed[phaseChanged] = change
	}
	if now.Ended != old.Ended && now.Ended != "" {
		w := object(status, "workflow")
		name := workflowFinished
		if failed(w) {
			name = workflowFailed
		}
		changed[name] = selectFields(w, "status", "message", "appRevision")
	}
	if now.Revision != old.Revision && now.Revision != "" {
		changed[revisionMade] = selectFields(object(status, "latestRevision"), "name", "revision", "revisionHash")
	}
	var healthy, unhealthy []any
	oldHealth, newHealth := old.health(), now.health()
	for _, c := range components(status) {
		id := newComponentID(c)
		wasHealthy, isHealthy := oldHealth[id], c["healthy"] == true
		switch {
		case isHealthy != newHealth[id]: // listed twice, and the other entry is unhealthy
		case isHealthy && !wasHealthy:
			healthy = append(healthy, selectFields(c, "name", "namespace", "cluster", "message"))
		case !isHealthy && (wasHealthy || before == nil):
			unhealthy = append(unhealthy, selectFields(c, "name", "namespace", "cluster", "message"))
		}
	}
	if healthy != nil {
		changed[componentHealthy] = healthy
	}
	if unhealthy != nil {
		changed[componentUnhealthy] = unhealthy
	}
	return changed
}

// failed reports whether a finished workflow failed or was terminated.
func failed(workflow map[string]any) bool {
	phase := workflowv1alpha1.WorkflowRunPhase(text(workflow, "status"))
	return phase == workflowv1alpha1.WorkflowStateFailed || phase == workflowv1alpha1.WorkflowStateTerminated || workflow["terminated"] == true
}

// runID identifies a finished run of a workflow and its outcome.
func runID(workflow map[string]any) string {
	run := strings.Join([]string{
		text(workflow, "appRevision"), text(workflow, "startTime"), text(workflow, "endTime"),
	}, " ")
	if failed(workflow) {
		run += " failed"
	}
	return run
}

// componentID is a truncated hash of a component's name and location.
type componentID [4]byte

func newComponentID(component map[string]any) componentID {
	sum := sha256.Sum256([]byte(strings.Join([]string{
		text(component, "env"), text(component, "cluster"), text(component, "namespace"), text(component, "name"),
	}, "/")))
	return componentID(sum[:len(componentID{})])
}

func (i componentID) compare(j componentID) int { return bytes.Compare(i[:], j[:]) }

// components returns the services of a status.
func components(status map[string]any) []map[string]any {
	services, _ := status["services"].([]any)
	var all []map[string]any
	for _, s := range services {
		if c, ok := s.(map[string]any); ok {
			all = append(all, c)
		}
	}
	return all
}

func object(m map[string]any, name string) map[string]any {
	o, _ := m[name].(map[string]any)
	return o
}

func text(m map[string]any, name string) string {
	s, _ := m[name].(string)
	return s
}

// selectFields returns the named fields that m has.
func selectFields(m map[string]any, fields ...string) map[string]any {
	selected := map[string]any{}
	for _, name := range fields {
		if value, ok := m[name]; ok {
			selected[name] = value
		}
	}
	return selected
}
