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
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// ErrMalformed means that a body is not a notification of the registry.
var ErrMalformed = errors.New("malformed registry notification")

// MaxImages limits the images of a notification, and the notifications of a body.
const MaxImages = 500

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

// Action is what happened to the images of a notification. It is the same for all
// registries.
type Action string

// Actions.
const (
	Push   Action = "push"
	Pull   Action = "pull"
	Delete Action = "delete"
	// Other is anything else: a scan, a quota, a replication, a test.
	Other Action = "other"
)

// Notification is a notification of a registry.
type Notification struct {
	// Type is the registry's event type, such as "PUSH_ARTIFACT", or the Action if the
	// registry has no types. It is empty if the notification does not say it.
	Type string
	// Action is Push, Pull, Delete or Other.
	Action Action
	// ID identifies the notification. It is empty if the registry sends none.
	ID string
	// Images are the affected images. A test notification has none.
	Images []Image
}

// parser parses the notifications in the JSON of a registry.
type parser func(body []byte) ([]Notification, error)

// parsers returns the parsers by the name of the registry.
func parsers() map[string]parser {
	return map[string]parser{
		"acr": one(acr), "distribution": distribution, "dockerhub": one(dockerHub), "ecr": one(ecr), "gar": one(artifactRegistry),
		"github": one(gitHub), "harbor": one(harbor), "jfrog": one(jfrog), "nexus": one(nexus), "quay": one(quay),
	}
}

func one(parse func([]byte) (Notification, error)) parser {
	return func(body []byte) ([]Notification, error) {
		n, err := parse(body)
		return []Notification{n}, err
	}
}

// Parse parses the JSON of a registry. eventType is the type that the request states, such
// as that of a CloudEvent; it counts if the JSON has none. Unless it is empty, host replaces
// the registry that the notifications name. Images without a repository are left out. Its
// errors wrap ErrMalformed.
func Parse(registry, host, eventType string, body []byte) ([]Notification, error) {
	parse, ok := parsers()[registry]
	if !ok {
		return nil, fmt.Errorf("%w: unknown registry %q", ErrMalformed, registry)
	}
	list, err := parse(body)
	for i := range list {
		if err == nil {
			err = list[i].complete(host, eventType)
		}
	}
	if err == nil && len(list) > MaxImages {
		err = fmt.Errorf("more than %d notifications", MaxImages)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrMalformed, registry, err)
	}
	return list, nil
}

// complete sets the Action and the registry, and checks the images.
func (n *Notification) complete(host, eventType string) error {
	if n.Action == "" {
		n.Action = actionOf(n.Type)
	}
	if n.Type == "" && n.Action == Other {
		n.Action = actionOf(eventType)
	}
	n.Images = slices.DeleteFunc(n.Images, func(i Image) bool { return i.Repository == "" })
	if len(n.Images) > MaxImages {
		return fmt.Errorf("more than %d images", MaxImages)
	}
	for i := range n.Images {
		if host != "" {
			n.Images[i].Registry = host
		}
		n.Images[i].moveDigest()
	}
	return n.validate()
}

// moveDigest moves a digest that is in the place of the tag, as that of an image without a
// tag is in Harbor, Artifactory and Nexus, such as each platform of an image for several.
func (i *Image) moveDigest() {
	if strings.Contains(i.Tag, ":") {
		i.Digest, i.Tag = cmp.Or(i.Digest, i.Tag), ""
	}
}

// actionOf returns the Action of a registry's event type.
func actionOf(eventType string) Action {
	switch eventType {
	case "push", "pushed", "PUSH", "PUSH_ARTIFACT", "pushImage", "harbor.artifact.pushed", "chart_push", "UPLOAD_CHART",
		"INSERT", "CREATED", "UPDATED", "published", "Microsoft.ContainerRegistry.ImagePushed", "Microsoft.ContainerRegistry.ChartPushed":
		return Push
	case "pull", "PULL_ARTIFACT", "pullImage", "harbor.artifact.pulled", "DOWNLOAD_CHART":
		return Pull
	case "delete", "deleted", "DELETE", "DELETE_ARTIFACT", "deleteImage", "harbor.artifact.deleted", "chart_delete", "DELETE_CHART",
		"DELETED", "Microsoft.ContainerRegistry.ImageDeleted", "Microsoft.ContainerRegistry.ChartDeleted":
		return Delete
	}
	return Other
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
func (n *Notification) validate() error {
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
	host, _, _ := strings.Cut(withoutScheme(url), "/")
	return host
}

func withoutScheme(url string) string {
	if _, rest, ok := strings.Cut(url, "://"); ok {
		return rest
	}
	return url
}

// parseReference returns the image of "quay.io/acme/web", with a tag or a digest or
// without, also as a URL.
func parseReference(text string) Image {
	text, digest, _ := strings.Cut(withoutScheme(text), "@")
	registry, repository, _ := strings.Cut(text, "/")
	repository, tag, _ := strings.Cut(repository, ":")
	return Image{Registry: registry, Repository: repository, Tag: tag, Digest: digest}
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
