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
)

// changes returns what app, whose state is now, became since before, by what
// properties name it. Before is nil where nothing is known of that: then it
// became all that it is.
func changes(before, now *state, app map[string]any) map[string]any {
	was := before
	if was == nil {
		was = &state{}
	}
	status := object(app, "status")
	changed := map[string]any{}
	if now.Phase != was.Phase && now.Phase != "" {
		change := map[string]any{"to": now.Phase}
		if was.Phase != "" {
			change["from"] = was.Phase
		}
		changed[phaseChanged] = change
	}
	if now.Ended != was.Ended && now.Ended != "" {
		w := object(status, "workflow")
		name := workflowFinished
		if failed(w) {
			name = workflowFailed
		}
		changed[name] = selectFields(w, "status", "message", "appRevision")
	}
	if now.Revision != was.Revision && now.Revision != "" {
		changed[revisionMade] = selectFields(object(status, "latestRevision"), "name", "revision", "revisionHash")
	}
	var healthy, unhealthy []any
	wereHealthy, areHealthy := was.health(), now.health()
	for _, c := range components(status) {
		id := newComponentID(c)
		wasHealthy, isHealthy := wereHealthy[id], c["healthy"] == true
		switch {
		case isHealthy != areHealthy[id]: // named twice, and not healthy elsewhere
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

// failed reports whether a workflow that is at its end failed, or was ended.
func failed(workflow map[string]any) bool {
	phase := text(workflow, "status")
	return phase == "failed" || phase == "terminated" || workflow["terminated"] == true
}

// runID stands for a run of a workflow, and for how it ended.
func runID(workflow map[string]any) string {
	run := strings.Join([]string{
		text(workflow, "appRevision"), text(workflow, "startTime"), text(workflow, "endTime"),
	}, " ")
	if failed(workflow) {
		run += " failed"
	}
	return run
}

// componentID stands for a component where it runs.
type componentID [4]byte

func newComponentID(component map[string]any) componentID {
	sum := sha256.Sum256([]byte(strings.Join([]string{
		text(component, "env"), text(component, "cluster"), text(component, "namespace"), text(component, "name"),
	}, "/")))
	return componentID(sum[:len(componentID{})])
}

func (i componentID) compare(j componentID) int { return bytes.Compare(i[:], j[:]) }

// components returns what a status says of components.
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

// selectFields returns those of the named fields that m has.
func selectFields(m map[string]any, fields ...string) map[string]any {
	picked := map[string]any{}
	for _, name := range fields {
		if value, ok := m[name]; ok {
			picked[name] = value
		}
	}
	return picked
}
