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

// quoteLength is the length of a piece of a Secret that an error must not quote, in
// bytes. Values that are shorter must not be quoted as a whole.
const quoteLength = 6

// redactedError is kept in place of an error that quotes a Secret.
const redactedError = "left out, because it quotes data of the Secret"

// IsSecret reports whether ev is about a Secret.
func IsSecret(ev event.Event) bool { return isSecret(ev.Data) || isSecret(ev.Old) }

func isSecret(o map[string]any) bool {
	version, _ := o["apiVersion"].(string)
	return o["kind"] == "Secret" && (version == "v1" || version == "")
}

// identityOnly returns ev without old, and with no more data than names the object.
func identityOnly(ev event.Event) event.Event {
	data := map[string]any{}
	for _, field := range []string{"apiVersion", "kind"} {
		if v, ok := ev.Data[field].(string); ok {
			data[field] = v
		}
	}
	if metadata, ok := ev.Data["metadata"].(map[string]any); ok {
		kept := map[string]any{}
		for _, field := range []string{"name", "namespace", "uid", "resourceVersion"} {
			if v, ok := metadata[field].(string); ok {
				kept[field] = v
			}
		}
		data["metadata"] = kept
	}
	ev.Data, ev.Old = data, nil
	return ev
}

// redactError returns text, unless it quotes any value of the Secret that ev
// is about: plain or in base64.
func redactError(text string, ev event.Event) string {
	pieces := map[string]struct{}{}
	for i := range text {
		for n := 1; n <= quoteLength && i+n <= len(text); n++ {
			pieces[text[i:i+n]] = struct{}{}
		}
	}
	quoted := func(v string) bool {
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
			if decoded, err := base64.StdEncoding.DecodeString(v); quoted(v) || err == nil && quoted(string(decoded)) {
				return redactedError
			}
		}
	}
	return text
}

// secretValues returns the texts of a Secret that may be secret: those of data and
// stringData, and its annotations, where kubectl keeps a copy of them.
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
