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

// nexus parses the component webhooks of Nexus Repository, which name neither the
// registry's host nor a digest. Components that are not images have no image.
func nexus(body []byte) (Notification, error) {
	var sent struct {
		Action    string `json:"action"`
		Component struct {
			Format  string `json:"format"`
			Name    string `json:"name"`
			Version string `json:"version"`
		} `json:"component"`
	}
	if err := decodeJSON(body, &sent); err != nil {
		return Notification{}, err
	}
	if sent.Component.Format != "docker" {
		return Notification{Action: Other}, nil
	}
	n := Notification{Type: sent.Action, Action: actionOf(sent.Action), Images: []Image{{Repository: sent.Component.Name, Tag: sent.Component.Version}}}
	if n.Action != Other {
		n.Type = string(n.Action)
	}
	return n, nil
}
