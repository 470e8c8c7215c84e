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

package provider

import (
	"cmp"
	"fmt"

	velatypes "github.com/oam-dev/kubevela-core-api/apis/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubevela/kube-trigger/pkg/multicluster"
	"github.com/kubevela/kube-trigger/pkg/rights"
	velaqlquery "github.com/kubevela/kube-trigger/pkg/velaql/query"
)

// Rights returns the rights that a call needs. namespace is that of the trigger. unknown says
// which rights cannot be told from the call; empty if there are none.
func Rights(call Call, namespace string) (list []rights.Right, unknown string) {
	f := lookup(call)
	if f.rights == nil {
		return nil, ""
	}
	list, unknown = f.rights(call, cmp.Or(namespace, metav1.NamespaceDefault))
	if cluster := str(call.Params, "cluster"); !multicluster.IsLocal(cluster) {
		for i := range list {
			list[i].Cluster = cluster
		}
	}
	return list, unknown
}

// rightsFunc is Rights for one function.
type rightsFunc func(call Call, namespace string) (list []rights.Right, unknown string)

// targetRight returns the right of a call to the object in its parameter param. Its namespace
// defaults to namespace.
func targetRight(param any, namespace string, verbs ...string) rights.Right {
	fields, _ := param.(map[string]any)
	o := unstructured.Unstructured{Object: fields}
	return rights.Right{
		APIVersion: o.GetAPIVersion(), Kind: o.GetKind(), Name: o.GetName(), Namespace: cmp.Or(o.GetNamespace(), namespace), Verbs: verbs,
	}
}

// to returns the rights to the object in the parameter resource.
func to(verbs ...string) rightsFunc {
	return func(call Call, _ string) ([]rights.Right, string) {
		return []rights.Right{targetRight(call.Params["resource"], "", verbs...)}, ""
	}
}

func readRights(call Call, _ string) ([]rights.Right, string) {
	return []rights.Right{targetRight(call.Params["value"], metav1.NamespaceDefault, "get")}, ""
}

func listRights(call Call, _ string) ([]rights.Right, string) {
	filter, _ := call.Params["filter"].(map[string]any)
	r := targetRight(call.Params["resource"], "", "list")
	r.Name, r.Namespace = "", str(filter, "namespace")
	return []rights.Right{r}, ""
}

func patchRights(call Call, _ string) ([]rights.Right, string) {
	if call.Params["resource"] == nil {
		return []rights.Right{targetRight(call.Params["value"], metav1.NamespaceDefault, "get", "patch")}, ""
	}
	r := targetRight(call.Params["resource"], "", "patch")
	r.Subresource = str(call.Params, "subresource")
	if p, _ := call.Params["patch"].(map[string]any); str(p, "type") == "apply" && r.Subresource == "" {
		r.Verbs = append(r.Verbs, "create")
	}
	return []rights.Right{r}, ""
}

func applyRights(call Call, _ string) ([]rights.Right, string) {
	if call.Params["resource"] != nil {
		return []rights.Right{targetRight(call.Params["resource"], "", "create", "patch")}, ""
	}
	values, isList := call.Params["value"].([]any)
	if !isList {
		values = []any{call.Params["value"]}
	}
	var out []rights.Right
	for _, v := range values {
		out = append(out, targetRight(v, metav1.NamespaceDefault, "get", "create", "patch"))
	}
	return out, ""
}

func deleteRights(call Call, _ string) ([]rights.Right, string) {
	if filter, ok := call.Params["filter"].(map[string]any); ok {
		r := targetRight(call.Params["value"], "", "deletecollection")
		r.Name, r.Namespace = "", str(filter, "namespace")
		return []rights.Right{r}, ""
	}
	return []rights.Right{targetRight(call.Params["value"], metav1.NamespaceDefault, "delete")}, ""
}

// secretRights returns the rights of calls of `vela/http` and `vela/email` to Secrets.
func secretRights(call Call, namespace string) (out []rights.Right, _ string) {
	request, _ := call.Params["request"].(map[string]any)
	basic, _ := request["basicAuth"].(map[string]any)
	sign, _ := call.Params["sign"].(map[string]any)
	from, _ := call.Params["from"].(map[string]any)
	tls, _ := call.Params["tls_config"].(map[string]any)
	refs := []any{call.Params["urlFrom"], basic["passwordFrom"], sign["secretFrom"], from["passwordFrom"]}
	headers, _ := request["headerFrom"].(map[string]any)
	for _, ref := range headers {
		refs = append(refs, ref)
	}
	for _, name := range []string{str(tls, "secret"), str(from, "tlsSecret")} {
		refs = append(refs, map[string]any{"name": name})
	}
	for _, ref := range refs {
		ref, _ := ref.(map[string]any)
		if name := str(ref, "name"); name != "" {
			out = append(out, rights.Right{APIVersion: "v1", Kind: "Secret", Namespace: namespace, Name: name, Verbs: []string{"get"}})
		}
	}
	return out, ""
}

func configRights(call Call, _ string) ([]rights.Right, string) {
	r := rights.Right{APIVersion: "v1", Kind: "Secret", Namespace: str(call.Params, "namespace"), Name: str(call.Params, "name")}
	switch call.Do {
	case "read", "read-config":
		r.Verbs = []string{"get"}
	case "list", "list-config":
		r.Name, r.Verbs = "", []string{"list"}
	case "delete", "delete-config":
		r.Verbs = []string{"get", "delete"}
	default:
		return nil, fmt.Sprintf("%s.%s writes a Secret, and what the config's template has", call.Provider, call.Do)
	}
	return []rights.Right{r}, ""
}

func clusterRights(call Call, _ string) ([]rights.Right, string) {
	return nil, fmt.Sprintf("%s.%s lists virtualclusters or, without cluster-gateway, Secrets in %s", call.Provider, call.Do, velatypes.DefaultKubeVelaNS)
}

// viewRights returns the rights of calls of `vela/ql`. Those of a view whose CUE is a parameter are
// the rights of its own calls.
func viewRights(call Call, _ string) ([]rights.Right, string) {
	if call.Do != "view" {
		return nil, fmt.Sprintf("%s.%s reads the objects of an Application", call.Provider, call.Do)
	}
	q, problems := velaqlquery.New(str(call.Params, "view"), str(call.Params, "template"), nil, "")
	if len(problems) > 0 || q.View == "" {
		return nil, ""
	}
	return NamedViewRights(q.View)
}

// NamedViewRights returns the rights of a view that has a name, as Rights does.
func NamedViewRights(name string) (list []rights.Right, unknown string) {
	return []rights.Right{{APIVersion: "v1", Kind: "ConfigMap", Namespace: velatypes.DefaultKubeVelaNS, Name: name, Verbs: []string{"get"}}},
		fmt.Sprintf("the view %q reads what its text in the ConfigMap says", name)
}

// NeedsRights reports whether calls of the function of a call may need rights.
func NeedsRights(call Call) bool { return lookup(call).rights != nil }
