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

// harbor parses Harbor's default format and the data of its CloudEvents.
func harbor(body []byte) (Notification, error) {
	type data struct {
		Resources []struct {
			Digest      string `json:"digest"`
			Tag         string `json:"tag"`
			ResourceURL string `json:"resource_url"`
		} `json:"resources"`
		Repository struct {
			FullName string `json:"repo_full_name"`
		} `json:"repository"`
	}
	var sent struct {
		Type      string `json:"type"`
		EventData data   `json:"event_data"`
		data
	}
	if err := decodeJSON(body, &sent); err != nil {
		return Notification{}, err
	}
	d := sent.EventData
	if len(d.Resources) == 0 {
		d = sent.data
	}
	n := Notification{Type: sent.Type}
	for _, r := range d.Resources {
		n.Images = append(n.Images, Image{Registry: host(r.ResourceURL), Repository: d.Repository.FullName, Tag: r.Tag, Digest: r.Digest})
	}
	return n, nil
}
