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

package trigger

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

const (
	// maxName leaves room for the suffixes of a Deployment's pods.
	maxName = 50
	// maxLabel is the maximum length of a label value in Kubernetes.
	maxLabel = 63
)

// WorkerName returns the name of the worker Deployment of a TriggerService.
func WorkerName(name string) string { return shorten("kube-trigger-"+name, maxName) }

// ActionsName returns the name of the Definition with the active action templates of a
// TriggerService.
func ActionsName(name string) string { return WorkerName(name) }

// WebhookServiceName returns the name of the Service for the webhooks of a
// TriggerService. Names of Services must not contain dots.
func WebhookServiceName(name string) string {
	worker := WorkerName(name)
	if !strings.Contains(worker, ".") {
		return worker
	}
	return withHash(strings.ReplaceAll(worker, ".", "-"), name, maxName)
}

// Label returns the label value for the name of a TriggerService.
func Label(name string) string { return shorten(name, maxLabel) }

// shorten replaces the end of a name longer than limit bytes by a hash of the name.
func shorten(name string, limit int) string {
	if len(name) <= limit {
		return name
	}
	return withHash(name, name, limit)
}

// withHash appends a hash of whole to name, and truncates name to fit limit bytes.
func withHash(name, full string, limit int) string {
	sum := sha256.Sum256([]byte(full))
	suffix := "x" + hex.EncodeToString(sum[:4])
	return name[:min(len(name), limit-len(suffix))] + suffix
}
