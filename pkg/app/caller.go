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
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/controller"
	"github.com/kubevela/kube-trigger/pkg/explain"
	"github.com/kubevela/kube-trigger/pkg/observe"
	"github.com/kubevela/kube-trigger/pkg/portforward"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

const (
	// workerTimeout limits a request to a worker.
	workerTimeout = 10 * time.Second
	// maxResponse is the maximum size of a worker's response, in bytes.
	maxResponse = 64 << 20
	// metricsPort is the name of the container port of a worker's metrics.
	metricsPort = "metrics"
)

// callerClient is a client with the rights of the user who calls the command.
type callerClient struct {
	client.Client
	config *rest.Config
	// namespace is the one that the user asks about.
	namespace string
	dialer    *portforward.Dialer
}

// newCallerClient returns a client. The namespace defaults to that of the kubeconfig.
func (o ClusterOptions) newCallerClient(namespace string) (*callerClient, error) {
	cfg, defaultNamespace, err := o.restConfig()
	if err != nil {
		return nil, err
	}
	if namespace == "" {
		namespace = defaultNamespace
	}
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, authorizationv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	c := &callerClient{config: cfg, namespace: namespace}
	if c.Client, err = client.New(cfg, client.Options{Scheme: scheme}); err != nil {
		return nil, err
	}
	c.dialer, err = portforward.NewDialer(cfg)
	return c, err
}

// mapper returns a mapper of the kinds of all groups, which knows their short names, as that of
// kubectl does.
func (c *callerClient) mapper() (meta.RESTMapper, error) {
	d, err := discovery.NewDiscoveryClientForConfig(c.config)
	if err != nil {
		return nil, err
	}
	cached := memory.NewMemCacheClient(d)
	return restmapper.NewShortcutExpander(restmapper.NewDeferredDiscoveryRESTMapper(cached), cached, nil), nil
}

// object parses an object that the user names.
func (c *callerClient) object(text string) (*explain.Object, error) {
	mapper, err := c.mapper()
	if err != nil {
		return nil, err
	}
	return explain.ParseObject(text, c.namespace, mapper)
}

// workers returns the pods of the workers of the namespace that may run a TriggerService; all
// of them if the name is empty.
func (c *callerClient) workers(ctx context.Context, namespace, service string) ([]corev1.Pod, error) {
	var pods corev1.PodList
	labels := client.MatchingLabels{"app.kubernetes.io/name": "kube-trigger", "app.kubernetes.io/component": "worker"}
	if err := c.List(ctx, &pods, client.InNamespace(namespace), labels); err != nil {
		return nil, fmt.Errorf("list the pods of workers: %w", err)
	}
	return slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool {
		own := p.Labels[controller.ServiceLabel]
		return service != "" && own != "" && own != trigger.Label(service)
	}), nil
}

// ready reports whether a pod is ready. Only the worker that leads is.
func ready(p corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// debug sends a GET request for a path below /debug/ to a worker, by port-forward, and passes
// the response to read.
func (c *callerClient) debug(ctx context.Context, pod corev1.Pod, path string, read func(io.Reader) error) error {
	port := int32(0)
	for _, container := range pod.Spec.Containers {
		for _, p := range container.Ports {
			if p.Name == metricsPort {
				port = p.ContainerPort
			}
		}
	}
	if port == 0 {
		return fmt.Errorf("pod %s has no port %q", pod.Name, metricsPort)
	}
	ctx, cancel := context.WithTimeout(ctx, workerTimeout)
	defer cancel()
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return c.dialer.Dial(ctx, types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}, port)
		},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, nil)
	if err != nil {
		return err
	}
	res, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	return readDebug(res, read)
}

// readDebug passes the body of a response to read.
func readDebug(res *http.Response, read func(io.Reader) error) error {
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 256))
		return fmt.Errorf("status %s: %s", res.Status, strings.TrimSpace(string(text)))
	}
	return read(io.LimitReader(res.Body, maxResponse))
}

// readDecisions decodes the response of /debug/decisions.
func readDecisions(out *[]observe.Decision) func(io.Reader) error {
	return func(body io.Reader) error {
		var response struct {
			Decisions []observe.Decision `json:"decisions"`
		}
		err := json.NewDecoder(body).Decode(&response)
		*out = append(*out, response.Decisions...)
		return err
	}
}

// decisionsPath returns the path of the decisions of a TriggerService; of all if it is empty.
func decisionsPath(service string) string {
	return "/debug/decisions?triggerService=" + url.QueryEscape(service)
}

// startTime returns when a pod's containers started; zero if that is not known.
func startTime(p corev1.Pod) time.Time {
	for _, s := range p.Status.ContainerStatuses {
		if s.State.Running != nil {
			return s.State.Running.StartedAt.Time
		}
	}
	return timeOf(p.Status.StartTime)
}

func timeOf(t *metav1.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}
