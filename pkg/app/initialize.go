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

package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/catalog"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
)

// TriggerOptions configure NewTrigger.
type TriggerOptions struct {
	// Name is the name of the trigger.
	Name string
	// Source and Action are types.
	Source, Action string
	// APIVersion and Kind are those of the objects of a resource-watcher. APIVersion defaults to
	// that of the built-in Kind.
	APIVersion, Kind string
	// ActionsDir is as in RunOptions.
	ActionsDir string
}

// NewTrigger returns a configuration with one trigger, whose properties are those of the examples.
// It is valid, as Vet has it.
func NewTrigger(ctx context.Context, o TriggerOptions) ([]byte, error) {
	source, err := o.entry(ctx, catalog.Source, o.Source)
	if err != nil {
		return nil, err
	}
	action, err := o.entry(ctx, catalog.Action, o.Action)
	if err != nil {
		return nil, err
	}
	if o.Source == resource.Type && o.Kind != "" {
		properties, _ := source.Example["properties"].(map[string]any)
		if o.APIVersion == "" {
			if o.APIVersion, err = builtInVersion(o.Kind); err != nil {
				return nil, err
			}
		}
		properties["apiVersion"], properties["kind"] = o.APIVersion, o.Kind
	} else if o.Kind != "" || o.APIVersion != "" {
		return nil, InvalidError{fmt.Errorf("--kind and --api-version are only for the source %s", resource.Type)}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "triggers:\n  - name: %s\n", o.Name)
	for _, part := range []catalog.Entry{source, action} {
		fmt.Fprintf(&b, "    # %s\n    %s:\n      type: %s\n", part.Description, part.Kind, part.Type)
		if properties, ok := part.Example["properties"]; ok {
			text, err := yaml.Marshal(properties)
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(&b, "      properties:\n        %s\n", strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", "\n        "))
		}
		if part.Kind == catalog.Source {
			b.WriteString("    # Without a filter, every event matches: docs/filters.md.\n    # filter: context.event.type == \"update\"\n")
		}
	}
	return b.Bytes(), vetNew(ctx, b.Bytes(), o.ActionsDir)
}

// entry returns the source or action of a type.
func (o TriggerOptions) entry(ctx context.Context, kind, name string) (catalog.Entry, error) {
	if name == "" {
		return catalog.Entry{}, InvalidError{fmt.Errorf("no %s; name its type with --%s", kind, kind)}
	}
	named, err := Catalog(ctx, CatalogOptions{ActionsDir: o.ActionsDir}, name)
	if i := slices.IndexFunc(named, func(e catalog.Entry) bool { return e.Kind == kind }); i >= 0 {
		return named[i], nil
	}
	if invalid := (InvalidError{}); err != nil && !errors.As(err, &invalid) {
		return catalog.Entry{}, err
	}
	all, err := Catalog(ctx, CatalogOptions{ActionsDir: o.ActionsDir}, "") // which types there are
	if err != nil {
		return catalog.Entry{}, err
	}
	var types []string
	for _, e := range all {
		if e.Kind == kind {
			types = append(types, e.Type)
		}
	}
	return catalog.Entry{}, InvalidError{fmt.Errorf("unknown %s %q%s", kind, name, diag.Suggest(name, types))}
}

// builtInVersion returns the preferred API version of a kind of Kubernetes.
func builtInVersion(kind string) (string, error) {
	var kinds []string
	for _, gv := range scheme.Scheme.PrioritizedVersionsAllGroups() {
		if scheme.Scheme.Recognizes(gv.WithKind(kind)) {
			return gv.String(), nil
		}
		for k := range scheme.Scheme.KnownTypes(gv) {
			kinds = append(kinds, k)
		}
	}
	return "", InvalidError{fmt.Errorf("the kind %q is not built into Kubernetes%s; name the version of another kind with --api-version", kind, diag.Suggest(kind, kinds))}
}

// NewAction returns the source of a first action.
func NewAction(ctx context.Context) ([]byte, error) {
	text := []byte(`// Write a text and the name of the event's object to the log.
import "vela/builtin"

log: builtin.#Message & {
	$params: message: "\(parameter.text): \(Name)"
}

// The name of the object; events of schedules and webhooks have none.
let Name = *context.data.metadata.name | "no object"

parameter: {
	// +usage=The text
	text: *"changed" | string
}
`)
	return text, vetNew(ctx, text, "")
}

// vetNew checks what is about to be written.
func vetNew(ctx context.Context, text []byte, actionsDir string) error {
	_, err := Vet(ctx, ValidateOptions{Files: []string{StdinPath}, Stdin: bytes.NewReader(text), ActionsDir: actionsDir})
	if err != nil {
		return InvalidError{fmt.Errorf("source and action do not fit: %w", err)}
	}
	return nil
}

// WriteNew writes a file that does not exist yet, or to stdout if path is StdinPath.
func WriteNew(path string, text []byte, stdout io.Writer) error {
	if path == StdinPath {
		_, err := stdout.Write(text)
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return InvalidError{fmt.Errorf("%s exists; it is not overwritten", path)}
	}
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}
