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

// dockerHubRegistry is the registry of Docker Hub in image references.
const dockerHubRegistry = "docker.io"

// dockerHub parses the push notifications of Docker Hub, which have no digest.
func dockerHub(body []byte) (Notification, error) {
	var sent struct {
		PushData struct {
			Tag string `json:"tag"`
		} `json:"push_data"`
		Repository struct {
			RepoName string `json:"repo_name"`
		} `json:"repository"`
	}
	if err := decodeJSON(body, &sent); err != nil {
		return Notification{}, err
	}
	n := Notification{Type: "push"}
	if sent.Repository.RepoName != "" {
		n.Images = []Image{{Registry: dockerHubRegistry, Repository: sent.Repository.RepoName, Tag: sent.PushData.Tag}}
	}
	return n, nil
}
