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

import (
	"encoding/json"
	"maps"
	"slices"
)

// quay parses the repository notifications of Quay, which have neither an ID, a type nor a
// digest.
func quay(body []byte) (Notification, error) {
	var sent struct {
		Repository string `json:"repository"`
		DockerURL  string `json:"docker_url"`
		// UpdatedTags is a list of tags; in old notifications, image IDs by tag.
		UpdatedTags json.RawMessage `json:"updated_tags"`
		// Tags are those of a vulnerability, DockerTags those of a build.
		Tags       []string `json:"tags"`
		DockerTags []string `json:"docker_tags"`
	}
	if err := decodeJSON(body, &sent); err != nil {
		return Notification{}, err
	}
	n := Notification{Action: Other}
	tags := slices.Concat(sent.Tags, sent.DockerTags)
	if len(sent.UpdatedTags) > 0 {
		updated, err := tagNames(sent.UpdatedTags)
		if err != nil {
			return Notification{}, err
		}
		n.Type, n.Action, tags = string(Push), Push, updated
	}
	i := parseReference(sent.DockerURL)
	if sent.Repository != "" {
		i.Repository = sent.Repository
	}
	for _, tag := range tags {
		i.Tag = tag
		n.Images = append(n.Images, i)
	}
	return n, nil
}

// tagNames returns the elements of a list of strings, or the names of an object.
func tagNames(text json.RawMessage) ([]string, error) {
	var list []string
	if decodeJSON(text, &list) == nil {
		return list, nil
	}
	var byName map[string]json.RawMessage
	if err := decodeJSON(text, &byName); err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(byName)), nil
}
