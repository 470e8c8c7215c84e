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
	"encoding/base64"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// quoteLength is the number of bytes of a Secret's value that an error must not
// contain. A shorter value must not be contained as a whole.
const quoteLength = 6

// redactedError replaces an error that contains data of a Secret.
const redactedError = "redacted: the error contains data of the Secret"

// IsSecret reports whether Data or Old of ev is a Secret.
func IsSecret(ev event.Event) bool { return isSecret(ev.Data) || isSecret(ev.Old) }

func isSecret(o map[string]any) bool {
	version, _ := o["apiVersion"].(string)
	return o["kind"] == "Secret" && (version == "v1" || version == "")
}

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

// redactError returns text, or redactedError if text contains a value of the Secret
// in ev, in plain text or base64.
func redactError(text string, ev event.Event) string {
	pieces := map[string]struct{}{}
	for i := range text {
		for n := 1; n <= quoteLength && i+n <= len(text); n++ {
			pieces[text[i:i+n]] = struct{}{}
		}
	}
	contained := func(v string) bool {
		for i := 0; i == 0 || i+quoteLength <= len(v); i++ {
			piece := v[i:min(i+quoteLength, len(v))]
			if _, ok := pieces[piece]; ok && piece != "" {
				return true
			}
		}
		return false
	}
	for _, o := range []map[string]any{ev.Data, ev.Old} {
		for _, v := range secretValues(o) {
			if decoded, err := base64.StdEncoding.DecodeString(v); contained(v) || err == nil && contained(string(decoded)) {
				return redactedError
			}
		}
	}
	return text
}

// secretValues returns the values in data, stringData and annotations of a Secret.
// kubectl copies the data into an annotation.
func secretValues(o map[string]any) []string {
	metadata, _ := o["metadata"].(map[string]any)
	var all []string
	for _, field := range []any{o["data"], o["stringData"], metadata["annotations"]} {
		texts, _ := field.(map[string]any)
		for _, v := range texts {
			if v, ok := v.(string); ok {
				all = append(all, v)
			}
		}
	}
	return all
}
