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
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// route contains the fields of an HTTPRoute that determine its endpoints.
type route struct {
	Spec struct {
		Hostnames []string `json:"hostnames"`
		Parents   []struct {
			Kind      string `json:"kind"`
			Namespace string `json:"namespace"`
			Name      string `json:"name"`
			Section   string `json:"sectionName"`
		} `json:"parentRefs"`
		Rules []struct {
			Matches []struct {
				Path *struct {
					Type  string `json:"type"`
					Value string `json:"value"`
				} `json:"path"`
			} `json:"matches"`
		} `json:"rules"`
	} `json:"spec"`
}

// routeEndpoints returns one endpoint for each path of an HTTPRoute.
func (q Querier) routeEndpoints(ctx context.Context, o *unstructured.Unstructured) ([]endpoint, error) {
	var r route
	if err := convert(o.Object, &r); err != nil {
		return nil, err
	}
	protocol, port, err := q.gatewayListener(ctx, o, r)
	if err != nil {
		return nil, err
	}
	var list []endpoint
	seen := map[string]bool{}
	for _, rule := range r.Spec.Rules {
		for _, host := range r.Spec.Hostnames {
			for _, m := range rule.Matches {
				path := ""
				if m.Path != nil && (m.Path.Type == "" || m.Path.Type == "PathPrefix") {
					path = m.Path.Value
				}
				if !seen[path] {
					seen[path] = true
					list = append(list, endpoint{Protocol: corev1.ProtocolTCP, AppProtocol: protocol, Host: host, Port: port, Path: path})
				}
			}
		}
	}
	return list, nil
}

// gatewayListener returns the protocol and the port of the first Gateway of an HTTPRoute.
// The Gateway's annotation ports-mapping maps the port of the listener to the external
// one.
func (q Querier) gatewayListener(ctx context.Context, o *unstructured.Unstructured, r route) (string, int32, error) {
	for _, p := range r.Spec.Parents {
		if p.Kind != "Gateway" {
			continue
		}
		kind := schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: o.GroupVersionKind().Version, Kind: p.Kind}
		found, err := q.get(ctx, kind, cmp.Or(p.Namespace, o.GetNamespace()), p.Name)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return "", 0, err
		}
		var g struct {
			Spec struct {
				Listeners []struct {
					Name     string `json:"name"`
					Protocol string `json:"protocol"`
					Port     int32  `json:"port"`
				} `json:"listeners"`
			} `json:"spec"`
		}
		if err := convert(found.Object, &g); err != nil {
			return "", 0, err
		}
		for _, l := range g.Spec.Listeners {
			if p.Section != "" && p.Section != l.Name {
				continue
			}
			protocol := http
			if l.Protocol == "HTTPS" {
				protocol = https
			}
			return protocol, mappedPort(l.Port, found.GetAnnotations()["ports-mapping"]), nil
		}
	}
	return http, 80, nil
}

// mappedPort maps port by a list such as "8443:443,8000:80"; unlisted ports are
// unchanged.
func mappedPort(port int32, text string) int32 {
	for _, pair := range strings.Split(text, ",") {
		from, to, ok := strings.Cut(strings.TrimSpace(pair), ":")
		if n, err := strconv.ParseInt(to, 10, 32); ok && err == nil && from == strconv.Itoa(int(port)) {
			return int32(n)
		}
	}
	return port
}
