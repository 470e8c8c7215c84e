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

// acr parses the notifications of Azure Container Registry and of Alibaba Cloud
// Container Registry.
func acr(body []byte) (Notification, error) {
	var sent struct {
		// Azure.
		ID     string `json:"id"`
		Action string `json:"action"`
		Target struct {
			Digest     string `json:"digest"`
			Repository string `json:"repository"`
			Tag        string `json:"tag"`
		} `json:"target"`
		Request struct {
			Host string `json:"host"`
		} `json:"request"`
		// Alibaba Cloud.
		PushData struct {
			Digest string `json:"digest"`
			Tag    string `json:"tag"`
		} `json:"push_data"`
		Repository struct {
			FullName string `json:"repo_full_name"`
			Region   string `json:"region"`
		} `json:"repository"`
	}
	if err := decodeJSON(body, &sent); err != nil {
		return Notification{}, err
	}
	n := Notification{Type: sent.Action, ID: sent.ID}
	switch {
	case sent.Target.Repository != "":
		n.Images = []Image{{
			Registry: sent.Request.Host, Repository: sent.Target.Repository, Tag: sent.Target.Tag, Digest: sent.Target.Digest,
		}}
	case sent.Repository.FullName != "":
		n.Type = "push"
		n.Images = []Image{{
			Registry: "registry." + sent.Repository.Region + ".aliyuncs.com", Repository: sent.Repository.FullName,
			Tag: sent.PushData.Tag, Digest: sent.PushData.Digest,
		}}
	}
	return n, nil
}
