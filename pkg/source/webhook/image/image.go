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

// Package image finds images in what container registries tell a webhook.
//
// It takes any input. The parts of an image that it returns have the form that
// image references have, so that they can be put together to one.
package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// ErrMalformed says that a body is not what the registry sends.
var ErrMalformed = errors.New("malformed notification of a registry")

// Image is an image in a registry. What the notification does not say is empty.
type Image struct {
	// Registry is its host and port: "harbor.example.com".
	Registry string
	// Repository is its path in the registry: "library/web".
	Repository string
	Tag        string
	// Digest is that of the manifest: "sha256:…".
	Digest string
}

// Notification is what a registry says.
type Notification struct {
	// Type is what happened, in the registry's own words: "PUSH_ARTIFACT".
	Type string
	// ID names the notification, where the registry gives it a name.
	ID string
	// Images are what it happened to; there are none in a test notification.
	Images []Image
}

// Registries returns the registries that Parse knows.
func Registries() []string { return []string{"harbor", "dockerhub", "acr", "jfrog"} }

// Parse reads the JSON that a registry sent. Its errors are ErrMalformed.
func Parse(registry string, body []byte) (Notification, error) {
	var n Notification
	var err error
	switch registry {
	case "harbor":
		n, err = harbor(body)
	case "dockerhub":
		n, err = dockerHub(body)
	case "acr":
		n, err = acr(body)
	case "jfrog":
		n, err = jfrog(body)
	default:
		err = errors.New("unknown registry")
	}
	if err == nil {
		err = n.validate()
	}
	if err != nil {
		return Notification{}, fmt.Errorf("%w: %s: %w", ErrMalformed, registry, err)
	}
	return n, nil
}

// validate refuses images that are no part of a reference.
func (n Notification) validate() error {
	for _, image := range n.Images {
		for _, part := range []struct {
			name, value, form string
			optional          bool
		}{
			{"registry", image.Registry, `^([a-zA-Z0-9.-]+|\[[0-9a-fA-F:]+\])(:[0-9]+)?$`, false},
			{"repository", image.Repository, `^[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$`, false},
			{"tag", image.Tag, `^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`, true},
			{"digest", image.Digest, `^[a-z0-9]+([+._-][a-z0-9]+)*:[a-fA-F0-9]{32,}$`, true},
		} {
			if part.optional && part.value == "" {
				continue
			}
			if ok, err := regexp.MatchString(part.form, part.value); err != nil || !ok {
				return fmt.Errorf("%q is no %s of an image", part.value, part.name)
			}
		}
	}
	return nil
}

// host returns the registry of "https://harbor.example.com/…" or
// "harbor.example.com/…".
func host(url string) string {
	if _, rest, ok := strings.Cut(url, "://"); ok {
		url = rest
	}
	host, _, _ := strings.Cut(url, "/")
	return host
}

// decodeJSON decodes JSON, and says what is wrong with it without the names of types.
func decodeJSON(body []byte, into any) error {
	err := json.Unmarshal(body, into)
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		return fmt.Errorf("unexpected %s at %q", kind.Value, "."+kind.Field)
	}
	return err
}
