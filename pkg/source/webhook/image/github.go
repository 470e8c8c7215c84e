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
	"cmp"
	"strings"
)

// gitHub parses the events package and registry_package of GitHub. Packages that are not
// images have no image: GitHub describes a container only of those that are.
func gitHub(body []byte) (Notification, error) {
	type pkg struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
		Owner     struct {
			Login string `json:"login"`
		} `json:"owner"`
		Version struct {
			PackageURL string `json:"package_url"`
			Version    string `json:"version"`
			Container  *struct {
				Tag struct {
					Name   string `json:"name"`
					Digest string `json:"digest"`
				} `json:"tag"`
			} `json:"container_metadata"`
		} `json:"package_version"`
	}
	var sent struct {
		Action          string `json:"action"`
		Package         pkg    `json:"package"`
		RegistryPackage pkg    `json:"registry_package"`
	}
	if err := decodeJSON(body, &sent); err != nil {
		return Notification{}, err
	}
	p := sent.RegistryPackage
	if p.Name == "" {
		p = sent.Package
	}
	if p.Version.Container == nil {
		return Notification{Action: Other}, nil
	}
	n := Notification{Type: sent.Action, Action: actionOf(sent.Action)}
	if n.Action != Other {
		n.Type = string(n.Action)
	}
	i := parseReference(p.Version.PackageURL)
	if i.Repository == "" {
		i = Image{Registry: "ghcr.io", Repository: cmp.Or(p.Namespace, p.Owner.Login) + "/" + p.Name}
	}
	// Names of owners may have capital letters, names of images may not.
	i.Repository = strings.ToLower(i.Repository)
	i.Tag = p.Version.Container.Tag.Name
	if i.Digest = p.Version.Container.Tag.Digest; i.Digest == "" && strings.HasPrefix(p.Version.Version, "sha256:") {
		i.Digest = p.Version.Version
	}
	n.Images = []Image{i}
	return n, nil
}
