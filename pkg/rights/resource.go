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

package rights

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/oam-dev/kubevela-core-api/apis/core.oam.dev/v1beta1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
)

// Resource is the resource of a kind.
type Resource struct {
	// Name is the plural name, as in rules of Roles.
	Name string
	// ClusterScoped is set for kinds without a namespace.
	ClusterScoped bool
	// Guessed is set if neither Kubernetes nor a CustomResourceDefinition has the kind: then
	// Name follows the rules of English, and ClusterScoped is not known.
	Guessed bool
}

// Names has the resources of custom kinds. Those of Kubernetes, KubeVela and kube-trigger are
// known without it.
type Names []Custom

// Custom is a custom kind and its resource.
type Custom struct {
	Group, Kind string
	Resource    Resource
}

// ReadNames returns the names in the CustomResourceDefinitions among the YAML documents of data.
func ReadNames(data []byte) (Names, error) {
	var out Names
	for decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096); ; {
		var d apiextensionsv1.CustomResourceDefinition
		err := decoder.Decode(&d)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if d.Kind == "CustomResourceDefinition" {
			out = append(out, Custom{d.Spec.Group, d.Spec.Names.Kind, Resource{
				Name: d.Spec.Names.Plural, ClusterScoped: d.Spec.Scope == apiextensionsv1.ClusterScoped,
			}})
		}
	}
}

// Resource returns the resource of a kind.
func (n Names) Resource(kind schema.GroupVersionKind) Resource {
	for _, c := range n {
		if c.Group == kind.Group && c.Kind == kind.Kind {
			return c.Resource
		}
	}
	return Resource{Name: plural(kind.Kind), ClusterScoped: IsClusterScoped(kind.GroupKind()), Guessed: !isKnown(kind)}
}

// plural returns the plural name that is usual for a kind.
func plural(kind string) string {
	name := strings.ToLower(kind)
	switch last := name[max(len(name)-2, 0):]; {
	case name == "endpoints":
		return name
	case strings.HasSuffix(name, "s"), strings.HasSuffix(name, "x"), last == "ch", last == "sh":
		return name + "es"
	case strings.HasSuffix(name, "y") && !strings.ContainsAny(last[:len(last)-1], "aeiou"):
		return strings.TrimSuffix(name, "y") + "ies"
	}
	return name + "s"
}

// isKnown reports whether a kind is one of Kubernetes, KubeVela or kube-trigger, whose names are
// regular.
func isKnown(kind schema.GroupVersionKind) bool {
	if slices.Contains([]string{v1beta1.Group, "standard.oam.dev", "cluster.core.oam.dev", "apiextensions.k8s.io", "apiregistration.k8s.io"}, kind.Group) {
		return true
	}
	versions := scheme.Scheme.VersionsForGroupKind(kind.GroupKind())
	return len(versions) > 0 || scheme.Scheme.IsGroupRegistered(kind.Group)
}

// IsClusterScoped reports whether a kind of Kubernetes or KubeVela has no namespace.
func IsClusterScoped(kind schema.GroupKind) bool {
	return slices.Contains(clusterScoped(kind.Group), kind.Kind)
}

// clusterScoped returns the kinds of a group without a namespace.
func clusterScoped(group string) []string {
	switch group {
	case "":
		return []string{"ComponentStatus", "Namespace", "Node", "PersistentVolume"}
	case "admissionregistration.k8s.io":
		return []string{"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding", "MutatingWebhookConfiguration", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration"}
	case "apiextensions.k8s.io":
		return []string{"CustomResourceDefinition"}
	case "apiregistration.k8s.io":
		return []string{"APIService"}
	case "authentication.k8s.io":
		return []string{"SelfSubjectReview", "TokenReview"}
	case "authorization.k8s.io":
		return []string{"SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview"}
	case "certificates.k8s.io":
		return []string{"CertificateSigningRequest", "ClusterTrustBundle"}
	case "cluster.core.oam.dev":
		return []string{"ClusterGateway", "VirtualCluster"}
	case v1beta1.Group:
		return []string{v1beta1.ResourceTrackerKind}
	case "flowcontrol.apiserver.k8s.io":
		return []string{"FlowSchema", "PriorityLevelConfiguration"}
	case "internal.apiserver.k8s.io":
		return []string{"StorageVersion"}
	case "networking.k8s.io":
		return []string{"IngressClass", "IPAddress", "ServiceCIDR"}
	case "node.k8s.io":
		return []string{"RuntimeClass"}
	case "rbac.authorization.k8s.io":
		return []string{"ClusterRole", "ClusterRoleBinding"}
	case "resource.k8s.io":
		return []string{"DeviceClass", "DeviceTaintRule", "ResourceSlice"}
	case "scheduling.k8s.io":
		return []string{"PriorityClass"}
	case "storage.k8s.io":
		return []string{"CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"}
	case "storagemigration.k8s.io":
		return []string{"StorageVersionMigration"}
	}
	return nil
}
