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

package codec

import (
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/redact"
)

// redactedError replaces an error that contains data of a Secret.
const redactedError = "redacted: the error contains data of the Secret"

// IsSecret reports whether Data or Old of ev is a Secret.
func IsSecret(ev event.Event) bool { return redact.IsSecret(ev.Data) || redact.IsSecret(ev.Old) }

// identityOnly returns ev without Old and with the identity of the object only:
// apiVersion, kind, name, namespace, uid and resourceVersion.
func identityOnly(ev event.Event) event.Event {
	data := map[string]any{}
	for _, field := range []string{"apiVersion", "kind"} {
		if v, ok := ev.Data[field].(string); ok {
			data[field] = v
		}
	}
	if metadata, ok := ev.Data["metadata"].(map[string]any); ok {
		identity := map[string]any{}
		for _, field := range []string{"name", "namespace", "uid", "resourceVersion"} {
			if v, ok := metadata[field].(string); ok {
				identity[field] = v
			}
		}
		data["metadata"] = identity
	}
	ev.Data, ev.Old = data, nil
	return ev
}
