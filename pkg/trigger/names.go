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
	// maxName leaves room for what Deployments add to the names of their pods.
	maxName = 50
	// maxLabel is the longest value of a label.
	maxLabel = 63
)

// WorkerName is the name of the Deployment of the named TriggerService.
func WorkerName(name string) string { return shorten("kube-trigger-"+name, maxName) }

// ActionsName is the name of the Definition that holds the actions which are in
// force for the named TriggerService.
func ActionsName(name string) string { return WorkerName(name) }

// WebhookServiceName is the name of the Service by which the webhooks of the named
// TriggerService are called. Unlike other names, that of a Service has no dots.
func WebhookServiceName(name string) string {
	worker := WorkerName(name)
	if !strings.Contains(worker, ".") {
		return worker
	}
	return withHash(strings.ReplaceAll(worker, ".", "-"), name, maxName)
}

// Label is the value of a label that names a TriggerService.
func Label(name string) string { return shorten(name, maxLabel) }

// shorten cuts a long name, and ends it in a hash of the whole.
func shorten(name string, limit int) string {
	if len(name) <= limit {
		return name
	}
	return withHash(name, name, limit)
}

// withHash ends name, cut where it is long, in a hash of whole.
func withHash(name, full string, limit int) string {
	sum := sha256.Sum256([]byte(full))
	suffix := "x" + hex.EncodeToString(sum[:4])
	return name[:min(len(name), limit-len(suffix))] + suffix
}
