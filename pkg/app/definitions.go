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
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/action"
	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/config"
	"github.com/kubevela/kube-trigger/pkg/diag"
)

// actionExtension is the extension of files with the source of an action.
const actionExtension = ".cue"

// RenderDefinition returns the YAML of the Definition of the action in a CUE file. The action
// is not checked.
func RenderDefinition(path, namespace string) ([]byte, error) {
	if filepath.Ext(path) != actionExtension {
		return nil, InvalidError{fmt.Errorf("%s: must be a file that ends in %s", path, actionExtension)}
	}
	files := config.Read(path)
	if len(files.Diagnostics) > 0 {
		return nil, InvalidError{files.Diagnostics}
	}
	source := string(files.List[0].Data)
	if action.TypeOf("", source) != "" {
		return nil, InvalidError{fmt.Errorf("%s: defines a workflow step; `vela def render` and `vela def apply` are its commands", path)}
	}
	out, err := config.RenderDefinition(strings.TrimSuffix(filepath.Base(path), actionExtension), namespace, action.Description(source), source)
	if err != nil {
		return nil, InvalidError{fmt.Errorf("%s: %w", path, err)}
	}
	return out, nil
}

// VetDefinitions checks actions as Validate does: CUE files, each an action, and YAML files with
// Definitions. A path may be a directory of such files.
func VetDefinitions(ctx context.Context, paths []string) (Validation, error) {
	cfg := configuration{Actions: map[string][]byte{}}
	for _, path := range paths {
		files := config.Read(path)
		cfg.Config.Diagnostics = append(cfg.Config.Diagnostics, files.Diagnostics...)
		for _, f := range files.List {
			switch filepath.Ext(f.Path) {
			case actionExtension:
				cfg.Actions[f.Path] = f.Data
			case ".yaml", ".yml", ".json":
				cfg.Config.List = append(cfg.Config.List, f)
			default:
				cfg.Config.Diagnostics = append(cfg.Config.Diagnostics, diag.FileDiagnostic{File: f.Path, Message: "must end in .cue, .yaml, .yml or .json"})
			}
		}
	}
	result, err := cfg.validate(ctx, ValidateOptions{})
	result.Definitions += len(cfg.Actions)
	return result, err
}

// ClusterAction is an action of a cluster: a Definition.
type ClusterAction struct {
	Namespace   string `json:"namespace"`
	Type        string `json:"type"`
	Description string `json:"description,omitempty"`
	// Valid is the status of the condition that the controller sets; "Unknown" without one.
	Valid string `json:"valid"`
	// Message says what is wrong.
	Message string `json:"message,omitempty"`
}

// ListDefinitions returns the actions of a cluster in a namespace, or in all if it is empty.
func ListDefinitions(ctx context.Context, o ClusterOptions, namespace string) ([]ClusterAction, error) {
	c, _, err := o.definitionsClient()
	if err != nil {
		return nil, err
	}
	var list corev1alpha1.DefinitionList
	if err := c.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("list definitions: %w", err)
	}
	all := []ClusterAction{}
	for _, d := range list.Items {
		if d.Spec.Type != corev1alpha1.TriggerAction {
			continue
		}
		a := ClusterAction{
			Namespace: d.Namespace, Type: strings.TrimPrefix(d.Name, corev1alpha1.TriggerAction+"-"),
			Description: d.Status.Description, Valid: string(metav1.ConditionUnknown),
		}
		if condition := meta.FindStatusCondition(d.Status.Conditions, corev1alpha1.ConditionValidated); condition != nil {
			a.Valid = string(condition.Status)
			if condition.Status != metav1.ConditionTrue {
				a.Message = condition.Message
			}
		}
		all = append(all, a)
	}
	return all, nil
}

// ApplyOptions configure ApplyDefinitions.
type ApplyOptions struct {
	ClusterOptions
	// Files are CUE files, each an action.
	Files []string
	// Namespace defaults to that of the kubeconfig.
	Namespace string
	// DryRun has the API server check the Definitions, and not store them.
	DryRun bool
	// ForceConflicts takes over fields that another field manager has set.
	ForceConflicts bool
}

// fieldManager is the field manager of what a user applies.
const fieldManager = "kube-trigger"

// Applied is a Definition that was applied.
type Applied struct {
	Namespace, Name string
	// Result is "created", "configured" or "unchanged".
	Result string
}

// ApplyDefinitions checks actions as VetDefinitions does, and applies their Definitions
// server-side, all of them or, if one is invalid, none. It calls report for each that is applied.
func ApplyDefinitions(ctx context.Context, o ApplyOptions, report func(Applied) error) error {
	for _, path := range o.Files {
		if filepath.Ext(path) != actionExtension {
			return InvalidError{fmt.Errorf("%s: must be a file that ends in %s", path, actionExtension)}
		}
	}
	if _, err := VetDefinitions(ctx, o.Files); err != nil {
		return err
	}
	c, namespace, err := o.definitionsClient()
	if err != nil {
		return err
	}
	objects := make([]*unstructured.Unstructured, len(o.Files))
	for i, path := range o.Files {
		text, err := RenderDefinition(path, cmp.Or(o.Namespace, namespace))
		if err != nil {
			return err
		}
		objects[i] = &unstructured.Unstructured{}
		if err := yaml.Unmarshal(text, objects[i]); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	for _, object := range objects {
		result, err := o.apply(ctx, c, object)
		if err != nil {
			return fmt.Errorf("apply definition %s/%s: %w", object.GetNamespace(), object.GetName(), err)
		}
		if err := report(Applied{Namespace: object.GetNamespace(), Name: object.GetName(), Result: result}); err != nil {
			return err
		}
	}
	return nil
}

// apply applies an object server-side, and returns what that did.
func (o ApplyOptions) apply(ctx context.Context, c client.Client, object *unstructured.Unstructured) (result string, err error) {
	before := &unstructured.Unstructured{}
	before.SetGroupVersionKind(object.GroupVersionKind())
	err = c.Get(ctx, client.ObjectKeyFromObject(object), before)
	if client.IgnoreNotFound(err) != nil {
		return "", err
	}
	options := []client.PatchOption{client.FieldOwner(fieldManager)}
	if o.ForceConflicts {
		options = append(options, client.ForceOwnership)
	}
	if o.DryRun {
		options = append(options, client.DryRunAll)
	}
	if err := c.Patch(ctx, object, client.Apply, options...); err != nil {
		return "", err
	}
	switch {
	case before.GetUID() == "":
		return "created", nil
	case reflect.DeepEqual(before.Object["spec"], object.Object["spec"]) && maps.Equal(before.GetAnnotations(), object.GetAnnotations()):
		return "unchanged", nil
	}
	return "configured", nil
}

// definitionsClient returns a client of Definitions, and the namespace of the kubeconfig.
func (o ClusterOptions) definitionsClient() (client.Client, string, error) {
	cfg, namespace, err := o.restConfig()
	if err != nil {
		return nil, "", err
	}
	scheme := runtime.NewScheme()
	err = corev1alpha1.AddToScheme(scheme)
	c, clientErr := client.New(cfg, client.Options{Scheme: scheme})
	return c, namespace, errors.Join(err, clientErr)
}
