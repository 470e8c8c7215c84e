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

package functions

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/oam-dev/kubevela-core-api/apis/core.oam.dev/common"
	velatypes "github.com/oam-dev/kubevela-core-api/apis/types"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// serviceEndpoint is an endpoint of an Application with the object that exposes it.
type serviceEndpoint struct {
	Endpoint  endpoint               `json:"endpoint"`
	Ref       corev1.ObjectReference `json:"ref"`
	Cluster   string                 `json:"cluster"`
	Component string                 `json:"component"`
}

type endpoint struct {
	Protocol    corev1.Protocol `json:"protocol,omitempty"`
	AppProtocol string          `json:"appProtocol"`
	Host        string          `json:"host"`
	Port        int32           `json:"port"`
	PortName    string          `json:"portName,omitempty"`
	Path        string          `json:"path,omitempty"`
	// Internal is set if the endpoint is reachable only within the cluster.
	Internal bool `json:"inner,omitempty"`
}

const (
	http  = "http"
	https = "https"
)

// endpoints implements collectServiceEndpoints.
func (q Querier) endpoints(ctx context.Context, query appQuery) ([]serviceEndpoint, error) {
	query.WithTree, query.Filter.kinds = true, []string{"Service", "Ingress", "HTTPRoute"}
	all, err := q.appliedResources(ctx, query)
	if err != nil {
		return nil, err
	}
	list := []serviceEndpoint{}
	for _, a := range all {
		querier, err := q.inClusterOf(ctx, common.ClusterObjectReference{Cluster: a.Cluster, ObjectReference: corev1.ObjectReference{Kind: a.Kind, Namespace: a.Namespace, Name: a.Name}})
		if err != nil {
			return nil, err
		}
		err = a.Tree.walk(func(n *node) error {
			found, err := querier.objectEndpoints(ctx, n.object)
			for _, e := range found {
				list = append(list, serviceEndpoint{Endpoint: e, Ref: reference(n.object), Cluster: a.Cluster, Component: a.Component})
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// walk visits n and then its descendants.
func (n *node) walk(visit func(*node) error) error {
	if err := visit(n); err != nil {
		return err
	}
	for _, l := range n.Leaves {
		if err := l.walk(visit); err != nil {
			return err
		}
	}
	return nil
}

func reference(o *unstructured.Unstructured) corev1.ObjectReference {
	return corev1.ObjectReference{
		Kind: o.GetKind(), Namespace: o.GetNamespace(), Name: o.GetName(), UID: o.GetUID(),
		APIVersion: o.GetAPIVersion(), ResourceVersion: o.GetResourceVersion(),
	}
}

// objectEndpoints returns the endpoints that o exposes.
func (q Querier) objectEndpoints(ctx context.Context, o *unstructured.Unstructured) ([]endpoint, error) {
	switch o.GroupVersionKind().GroupKind() {
	case groupKind("", "Service"):
		var s corev1.Service
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &s); err != nil {
			return nil, err
		}
		return q.serviceEndpoints(ctx, &s)
	case groupKind("networking.k8s.io", "Ingress"):
		var i networkingv1.Ingress
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &i); err != nil {
			return nil, err
		}
		return ingressEndpoints(&i), nil
	case groupKind("gateway.networking.k8s.io", "HTTPRoute"):
		return q.routeEndpoints(ctx, o)
	}
	return nil, nil
}

func (q Querier) serviceEndpoints(ctx context.Context, s *corev1.Service) ([]endpoint, error) {
	hosts, inner := []string{s.Name + "." + s.Namespace}, true
	switch s.Spec.Type {
	case corev1.ServiceTypeLoadBalancer:
		hosts, inner = nil, false
		for _, i := range s.Status.LoadBalancer.Ingress {
			for _, h := range []string{i.Hostname, i.IP} {
				if h != "" {
					hosts = append(hosts, h)
				}
			}
		}
	case corev1.ServiceTypeNodePort:
		nodes, err := q.list(ctx, corev1.SchemeGroupVersion.WithKind("Node"), client.ListOptions{})
		if err != nil {
			return nil, err
		}
		hosts, inner = []string{nodeAddress(nodes)}, false
	}
	var list []endpoint
	for _, p := range s.Spec.Ports {
		number := p.Port
		if s.Spec.Type == corev1.ServiceTypeNodePort {
			number = p.NodePort
		}
		for _, h := range hosts {
			list = append(list, endpoint{
				Protocol: p.Protocol, AppProtocol: appProtocol(p.Port), Host: h, Port: number, PortName: p.Name, Internal: inner,
			})
		}
	}
	return list, nil
}

// appProtocol returns the usual application protocol of a port; "" if there is none.
func appProtocol(port int32) string {
	switch port {
	case 80, 8080:
		return http
	case 443:
		return https
	case 3306:
		return "mysql"
	case 6379:
		return "redis"
	}
	return ""
}

// nodeAddress returns the first external address of the nodes with the role gateway,
// else with the role worker, else of all nodes. If there is none, it returns the
// internal address of the first node.
func nodeAddress(nodes []unstructured.Unstructured) string {
	for _, role := range []string{velatypes.LabelNodeRoleWorker, velatypes.LabelNodeRoleGateway} {
		labelled := slices.DeleteFunc(slices.Clone(nodes), func(n unstructured.Unstructured) bool {
			_, ok := n.GetLabels()[role]
			return !ok
		})
		if len(labelled) > 0 {
			nodes = labelled
		}
	}
	var inner string
	for i, n := range nodes {
		var typed corev1.Node
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(n.Object, &typed); err != nil {
			continue
		}
		for _, a := range typed.Status.Addresses {
			switch {
			case a.Type == corev1.NodeExternalIP:
				return a.Address
			case a.Type == corev1.NodeInternalIP && i == 0:
				inner = a.Address
			}
		}
	}
	return inner
}

func ingressEndpoints(i *networkingv1.Ingress) []endpoint {
	var list []endpoint
	for _, r := range i.Spec.Rules {
		if r.HTTP == nil {
			continue
		}
		protocol, port := http, int32(80)
		for _, t := range i.Spec.TLS {
			if len(t.Hosts) == 0 || slices.Contains(t.Hosts, r.Host) {
				protocol, port = https, 443
			}
		}
		if n, err := strconv.ParseInt(i.Annotations["ingress.controller/"+protocol+"-port"], 10, 32); err == nil && n > 0 {
			port = int32(n)
		}
		for _, p := range r.HTTP.Paths {
			list = append(list, endpoint{
				Protocol: corev1.ProtocolTCP, AppProtocol: protocol, Port: port, Path: p.Path,
				Host: cmp.Or(r.Host, i.Annotations["ingress.controller/host"]),
			})
		}
	}
	return list
}
