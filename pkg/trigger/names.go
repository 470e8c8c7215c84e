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
	"strings"

	"github.com/kubevela/kube-trigger/pkg/name"
)

const (
	// maxName leaves room for the suffixes of a Deployment's pods.
	maxName = 50
	// maxLabel is the maximum length of a label value in Kubernetes.
	maxLabel = 63
)

// NamespaceWorker is the name of the Deployment of a namespace's worker.
const NamespaceWorker = "kube-trigger"

// WorkerName returns the name of the Deployment of a TriggerService's own worker.
func WorkerName(ts string) string { return shorten("kube-trigger-"+ts, maxName) }

// AcceptedName returns the name of the Definition with the accepted version of a
// TriggerService.
func AcceptedName(ts string) string { return WorkerName(ts) }

// WebhookServiceName returns the name of the Service for the webhooks of a
// TriggerService. Names of Services must not contain dots.
func WebhookServiceName(ts string) string {
	worker := WorkerName(ts)
	if !strings.Contains(worker, ".") {
		return worker
	}
	return name.Append(strings.ReplaceAll(worker, ".", "-"), maxName, suffix(ts))
}

// Label returns the label value for the name of a TriggerService.
func Label(ts string) string { return shorten(ts, maxLabel) }

func shorten(full string, limit int) string { return name.Shorten(full, limit, suffix(full)) }

func suffix(full string) string { return "x" + name.Hash(full, 8) }
