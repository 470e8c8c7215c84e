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

package image

import "fmt"

// artifactRegistry parses the messages of Google Artifact Registry that Pub/Sub pushes,
// wrapped or not.
func artifactRegistry(body []byte) (Notification, error) {
	type change struct {
		Action string `json:"action"`
		Digest string `json:"digest"`
		Tag    string `json:"tag"`
	}
	var sent struct {
		change
		Message struct {
			Data      []byte `json:"data"` // base64
			MessageID string `json:"messageId"`
		} `json:"message"`
	}
	if err := decodeJSON(body, &sent); err != nil {
		return Notification{}, err
	}
	c := sent.change
	if len(sent.Message.Data) > 0 {
		if err := decodeJSON(sent.Message.Data, &c); err != nil {
			return Notification{}, fmt.Errorf("message.data: %w", err)
		}
	}
	n := Notification{ID: sent.Message.MessageID, Action: actionOf(c.Action), Type: c.Action}
	if n.Action != Other {
		n.Type = string(n.Action)
	}
	i := parseReference(c.Digest)
	if tagged := parseReference(c.Tag); tagged.Repository != "" {
		tagged.Digest = i.Digest
		i = tagged
	}
	n.Images = []Image{i}
	return n, nil
}
