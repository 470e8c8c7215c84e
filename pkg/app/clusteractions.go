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
	"fmt"
	"slices"
	"strings"

	"github.com/oam-dev/kubevela-core-api/apis/core.oam.dev/v1beta1"
	velatypes "github.com/oam-dev/kubevela-core-api/apis/types"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/catalog"
	"github.com/kubevela/kube-trigger/pkg/workflowstep"
)

// clusterTemplate is the template of an action in a cluster.
type clusterTemplate struct {
	Source, Description string
}

// entry returns the entry of the action. An invalid one, or one that is not looked at for a reason,
// has a Problem: the others can be used.
func (c clusterTemplate) entry(name, reason string) catalog.Entry {
	e := catalog.Entry{Kind: catalog.Action, Type: name, Description: c.Description, Problem: reason}
	if reason != "" {
		return e
	}
	entries, problems := catalog.Actions(map[string]string{name: c.Source})
	if len(problems) > 0 {
		e.Problem = problems.Error()
		return e
	}
	entries[0].Description = cmp.Or(c.Description, entries[0].Description)
	return entries[0]
}

// clusterTemplates returns the templates of the actions and workflow steps that triggers of a
// namespace can use, by type: those of the namespace, then those of vela-system.
func (o CatalogOptions) clusterTemplates(ctx context.Context) (map[string]clusterTemplate, error) {
	api, namespace, err := o.Cluster.definitionsClient()
	if err != nil {
		return nil, err
	}
	out := map[string]clusterTemplate{}
	for _, in := range slices.Compact([]string{cmp.Or(o.Namespace, namespace), velatypes.DefaultKubeVelaNS}) {
		var definitions corev1alpha1.DefinitionList
		if err := api.List(ctx, &definitions, client.InNamespace(in)); err != nil && !isNotInstalled(err) {
			return nil, fmt.Errorf("list Definitions of %s: %w", in, err)
		}
		add := func(name string, c clusterTemplate) {
			if _, exists := out[name]; !exists {
				out[name] = c
			}
		}
		for _, d := range definitions.Items {
			if d.Spec.Type == corev1alpha1.TriggerAction {
				add(strings.TrimPrefix(d.Name, corev1alpha1.TriggerAction+"-"), clusterTemplate{d.Spec.Templates[corev1alpha1.MainTemplate], d.Status.Description})
			}
		}
		steps := &unstructured.UnstructuredList{}
		steps.SetGroupVersionKind(v1beta1.WorkflowStepDefinitionGroupVersionKind)
		if err := api.List(ctx, steps, client.InNamespace(in)); err != nil && !isNotInstalled(err) {
			return nil, fmt.Errorf("list WorkflowStepDefinitions of %s: %w", in, err)
		}
		for _, object := range steps.Items {
			if d, ok := workflowstep.Find(object.Object); ok {
				add(d.String(), clusterTemplate{d.Template, object.GetAnnotations()[velatypes.AnnoDefinitionDescription]})
			}
		}
	}
	return out, nil
}

// isNotInstalled reports whether an error says that the cluster does not have a kind.
func isNotInstalled(err error) bool { return meta.IsNoMatchError(err) || apierrors.IsNotFound(err) }
