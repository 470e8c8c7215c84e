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

// entry is an event of a registry as the CNCF Distribution sends it, and Azure Container
// Registry.
type entry struct {
	ID     string `json:"id"`
	Action string `json:"action"`
	Target struct {
		MediaType  string `json:"mediaType"`
		Digest     string `json:"digest"`
		Repository string `json:"repository"`
		Tag        string `json:"tag"`
	} `json:"target"`
	Request struct {
		Host string `json:"host"`
	} `json:"request"`
}

func (e entry) notification() Notification {
	n := Notification{Type: e.Action, ID: e.ID}
	if e.Target.Repository != "" {
		n.Images = []Image{{Registry: e.Request.Host, Repository: e.Target.Repository, Tag: e.Target.Tag, Digest: e.Target.Digest}}
	}
	return n
}

// acr parses the notifications of Azure Container Registry, also as Azure Event Grid sends
// them, and of Alibaba Cloud Container Registry.
func acr(body []byte) (Notification, error) {
	var sent struct {
		// Azure.
		entry
		// Azure Event Grid.
		EventType string `json:"eventType"`
		Data      entry  `json:"data"`
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
	switch {
	case sent.EventType != "":
		n := sent.Data.notification()
		n.Type, n.ID = sent.EventType, sent.ID
		return n, nil
	case sent.Repository.FullName != "":
		registry := ""
		if sent.Repository.Region != "" {
			registry = "registry." + sent.Repository.Region + ".aliyuncs.com"
		}
		return Notification{Type: string(Push), Images: []Image{{
			Registry: registry, Repository: sent.Repository.FullName, Tag: sent.PushData.Tag, Digest: sent.PushData.Digest,
		}}}, nil
	}
	return sent.notification(), nil
}
