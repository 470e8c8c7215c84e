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

package rehearsal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/number"
)

// ParseObjects returns the Kubernetes objects in YAML or JSON documents, with the items of
// lists.
func ParseObjects(data []byte) ([]map[string]any, error) {
	documents, err := parseDocuments(data)
	if err != nil {
		return nil, err
	}
	var objects []map[string]any
	for i, d := range documents {
		items, isList := d["items"].([]any)
		if !isList {
			items = []any{d}
		}
		for _, item := range items {
			object, ok := item.(map[string]any)
			if !ok || object["apiVersion"] == nil || object["kind"] == nil {
				return nil, fmt.Errorf("document %d: must be an object with apiVersion, kind and metadata", i+1)
			}
			objects = append(objects, object)
		}
	}
	return objects, nil
}

// parseDocuments returns the objects in YAML or JSON documents.
func parseDocuments(data []byte) ([]map[string]any, error) {
	reader := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	var documents []map[string]any
	for n := 1; ; n++ {
		text, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return documents, nil
		} else if err != nil {
			return nil, fmt.Errorf("document %d: %w", n, err)
		}
		encoded, err := sigsyaml.YAMLToJSON(text)
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", n, err)
		}
		if string(encoded) == "null" {
			continue
		}
		document, err := number.UnmarshalObject(encoded)
		if err != nil {
			return nil, fmt.Errorf("document %d: must be an object", n)
		}
		documents = append(documents, document)
	}
}

// ParseStimulus returns what data is: an event as `context` shows it, or a Kubernetes object,
// of which kind is the type of the event. isBody is true if it is neither.
func ParseStimulus(data []byte, kind string, now time.Time) (s Stimulus, isBody bool) {
	documents, err := parseDocuments(data)
	if err != nil || len(documents) != 1 {
		return s, true
	}
	d := documents[0]
	if _, ok := d["context"].(map[string]any); ok && len(d) == 1 {
		d, _ = d["context"].(map[string]any)
	}
	of, isEvent := d["event"].(map[string]any)
	content, hasData := d["data"].(map[string]any)
	_, isSource := d["sourceType"].(string)
	_, hasKind := d["kind"].(string)
	switch {
	case hasKind && d["apiVersion"] != nil:
		return Stimulus{Object: d, Type: kind}, false
	case !hasData || !isEvent && !isSource:
		return s, true
	}
	ev := &event.Event{Data: content, Time: now}
	ev.Source, _ = d["sourceType"].(string)
	ev.Type, _ = of["type"].(string)
	ev.Cluster, _ = of["cluster"].(string)
	ev.ID, _ = of["id"].(string)
	ev.Old, _ = d["old"].(map[string]any)
	if at, ok := d["timestamp"].(string); ok {
		if parsed, err := time.Parse(time.RFC3339, at); err == nil {
			ev.Time = parsed
		}
	}
	if ev.Type == "" {
		ev.Type = kind
	}
	ev.Key = metadataText(content, "namespace") + "/" + metadataText(content, "name")
	if ev.ID == "" {
		ev.ID = event.RevisionID(ev.Cluster, metadataText(content, "uid"), revisionOf(content))
	}
	return Stimulus{Event: ev}, false
}
