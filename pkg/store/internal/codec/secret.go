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

// identityOnly returns ev without Old and with the identity of the object only.
func identityOnly(ev event.Event) event.Event {
	ev.Data, ev.Old = event.Identity(ev.Data), nil
	return ev
}
