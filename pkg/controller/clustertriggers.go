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

package controller

import (
	"encoding/json"
	"maps"
	"strings"

	"github.com/oam-dev/kubevela-core-api/apis/core.oam.dev/v1beta1"
	"github.com/oam-dev/kubevela-core-api/pkg/oam"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/name"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
)

// publishedVersion is the filter of Applications that a trigger has bumped, and that KubeVela
// has deployed in this version: a change of their spec takes effect when the version changes.
const publishedVersion = `context.data.metadata.annotations["` + oam.AnnotationPublishVersion + `"] =~ "^[1-9][0-9]*$" && context.data.status.workflow.appRevision == context.data.metadata.annotations["` + oam.AnnotationPublishVersion + `"]`

// newClusterBump returns the TriggerService that bumps app when an object in a cluster
// changes, or its own spec. The labels name the Application, as those of a trait's
// TriggerService do.
func newClusterBump(key types.NamespacedName, app *unstructured.Unstructured, cluster string, references []clusterReference) *v1alpha1.TriggerService {
	ts := &v1alpha1.TriggerService{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion().String(), Kind: v1alpha1.TriggerServiceKind},
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, Labels: bumpLabels()},
	}
	maps.Copy(ts.Labels, map[string]string{oam.LabelAppName: app.GetName(), oam.LabelAppNamespace: app.GetNamespace()})
	ts.Spec.Worker = &v1alpha1.Worker{Template: NamespaceTemplate}
	edits := newBumpTrigger("edits", map[string]any{
		"apiVersion": v1beta1.SchemeGroupVersion.String(), "kind": v1beta1.ApplicationKind, "ownApplication": true, "events": []string{"update"},
	}, "spec")
	edits.Filter = publishedVersion
	ts.Spec.Triggers = append(ts.Spec.Triggers, edits)
	for _, r := range references {
		// The checkpoint of a trigger belongs to its name: it must be stable.
		full := strings.ToLower(r.Kind) + "-" + strings.ReplaceAll(r.Name, ".", "-")
		ts.Spec.Triggers = append(ts.Spec.Triggers, newBumpTrigger(name.Append(full, 63, "-"+name.Hash(r.namespace+"/"+r.Kind+"/"+r.Name, 8)), map[string]any{
			"apiVersion": "v1", "kind": r.Kind, "namespace": r.namespace, "clusters": []string{cluster},
			"fieldSelector": fields.OneTermEqualSelector("metadata.name", r.Name).String(), "events": []string{"create", "update"},
		}, "data", "binaryData"))
	}
	return ts
}

// newBumpTrigger returns a trigger that bumps the Application of its TriggerService when
// fields of an object change.
func newBumpTrigger(name string, source map[string]any, onChange ...string) v1alpha1.Trigger {
	properties := func(p map[string]any) *runtime.RawExtension {
		raw, _ := json.Marshal(p) // maps of texts, lists of texts and booleans
		return &runtime.RawExtension{Raw: raw}
	}
	return v1alpha1.Trigger{
		Name: name, OnChange: onChange,
		Source: v1alpha1.Source{Type: resource.Type, Properties: properties(source)},
		Action: v1alpha1.Action{Type: "bump-application-revision", Properties: properties(map[string]any{"ownApplication": true})},
	}
}

// clusterBumpName returns the name of the TriggerService of an Application for a cluster.
func clusterBumpName(app types.NamespacedName, cluster string) string {
	return name.Append("kube-trigger-"+cluster+"-"+app.Namespace+"-"+app.Name, 63, "-"+name.Hash(cluster+"/"+app.String(), 8))
}

// isPinned reports whether the author of app has set a version that is no number, and that no
// trigger raises.
func isPinned(app *unstructured.Unstructured) bool {
	version := oam.GetPublishVersion(app)
	return version != "" && (version[0] == '0' || strings.Trim(version, "0123456789") != "")
}
