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

import "strings"

// distribution parses the notifications of the CNCF Distribution ("Docker Registry"), and
// of registries that are based on it, such as GitLab's. A body has several events, also of
// blobs, which are no images.
func distribution(body []byte) ([]Notification, error) {
	var sent struct {
		Events []entry `json:"events"`
	}
	if err := decodeJSON(body, &sent); err != nil {
		return nil, err
	}
	list := make([]Notification, 0, len(sent.Events))
	for _, e := range sent.Events {
		n := e.notification()
		if isBlob(e.Target.MediaType) {
			n.Action, n.Images = Other, nil
		}
		list = append(list, n)
	}
	return list, nil
}

// isBlob reports whether a media type is that of a layer or a configuration. Deletions
// have none.
func isBlob(mediaType string) bool {
	return mediaType != "" && !strings.Contains(mediaType, "manifest") && !strings.Contains(mediaType, "image.index")
}
