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

// Package image parses the webhook notifications of container registries.
//
// It accepts any input. The parts of the images that it returns are valid parts of an
// image reference.
package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// ErrMalformed means that a body is not a notification of the registry.
var ErrMalformed = errors.New("malformed registry notification")

// Image is an image in a registry. Fields that the notification lacks are empty.
type Image struct {
	// Registry is the host and port: "harbor.example.com".
	Registry string
	// Repository is the path in the registry: "library/web".
	Repository string
	Tag        string
	// Digest is the manifest's digest: "sha256:…".
	Digest string
}

// Notification is a notification of a registry.
type Notification struct {
	// Type is the registry's event type: "PUSH_ARTIFACT".
	Type string
	// ID identifies the notification. It is empty if the registry sends none.
	ID string
	// Images are the affected images. A test notification has none.
	Images []Image
}

// Parse parses the JSON of a registry. Unless it is empty, host replaces the registry that
// the notification names. Its errors wrap ErrMalformed.
func Parse(registry, host string, body []byte) (Notification, error) {
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
	for i := range n.Images {
		if host != "" {
			n.Images[i].Registry = host
		}
	}
	if err == nil {
		err = n.validate()
	}
	if err != nil {
		return Notification{}, fmt.Errorf("%w: %s: %w", ErrMalformed, registry, err)
	}
	return n, nil
}

const registryPattern = `^([a-zA-Z0-9.-]+|\[[0-9a-fA-F:]+\])(:[0-9]+)?$`

// CheckRegistry returns an error unless host is the host of a registry, with or without a
// port.
func CheckRegistry(host string) error {
	if ok, err := regexp.MatchString(registryPattern, host); err != nil || !ok {
		return fmt.Errorf(`must be a host such as "registry.example.com:5000", not %q`, host)
	}
	return nil
}

// validate checks that the parts of the images are valid in an image reference.
func (n Notification) validate() error {
	for _, image := range n.Images {
		for _, part := range []struct {
			name, value, pattern string
			optional             bool
		}{
			{"registry", image.Registry, registryPattern, true},
			{"repository", image.Repository, `^[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$`, false},
			{"tag", image.Tag, `^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`, true},
			{"digest", image.Digest, `^[a-z0-9]+([+._-][a-z0-9]+)*:[a-fA-F0-9]{32,}$`, true},
		} {
			if part.optional && part.value == "" {
				continue
			}
			if ok, err := regexp.MatchString(part.pattern, part.value); err != nil || !ok {
				return fmt.Errorf("invalid image %s %q", part.name, part.value)
			}
		}
	}
	return nil
}

// host returns the host and port of "https://harbor.example.com/…" or
// "harbor.example.com/…".
func host(url string) string {
	if _, rest, ok := strings.Cut(url, "://"); ok {
		url = rest
	}
	host, _, _ := strings.Cut(url, "/")
	return host
}

// decodeJSON decodes JSON. Its errors do not name Go types.
func decodeJSON(body []byte, into any) error {
	err := json.Unmarshal(body, into)
	var typeErr *json.UnmarshalTypeError
	if errors.As(err, &typeErr) {
		return fmt.Errorf("unexpected %s at %q", typeErr.Value, "."+typeErr.Field)
	}
	return err
}
