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
	"crypto/sha256"
	"strings"
)

// jfrog parses the notifications of Artifactory's domain docker. They name the host only if
// Artifactory knows its base URL.
func jfrog(body []byte) (Notification, error) {
	var sent struct {
		Domain    string `json:"domain"`
		EventType string `json:"event_type"`
		Data      struct {
			RepoKey   string `json:"repo_key"`
			Path      string `json:"path"`
			Name      string `json:"name"`
			ImageName string `json:"image_name"`
			Tag       string `json:"tag"`
			SHA256    string `json:"sha256"`
		} `json:"data"`
		Origin string `json:"jpd_origin"`
	}
	if err := decodeJSON(body, &sent); err != nil {
		return Notification{}, err
	}
	n := Notification{Type: sent.EventType}
	if sent.Domain != "docker" || sent.Data.ImageName == "" {
		return n, nil
	}
	// image_name is only the last part of a nested repository. The path has all of them,
	// the tag and the name of the manifest's file.
	repository, ok := strings.CutSuffix(sent.Data.Path, "/"+sent.Data.Tag+"/"+sent.Data.Name)
	if !ok { // a test notification
		repository = sent.Data.ImageName
	}
	i := Image{Registry: host(sent.Origin), Repository: sent.Data.RepoKey + "/" + repository, Tag: sent.Data.Tag}
	if len(sent.Data.SHA256) == 2*sha256.Size { // a test notification has a placeholder
		i.Digest = "sha256:" + sent.Data.SHA256
	}
	n.Images = []Image{i}
	return n, nil
}
