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

package pods

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/apimachinery/pkg/util/httpstream/spdy"
)

// nodeName is the name of the Node to which ForwardPorts binds pods.
const nodeName = "local"

// ForwardPorts makes `kubectl port-forward` work for the pods that a namespace has: it registers
// a Node on the first call, whose kubelet is in this process, and binds the pods to it. A bound pod is not
// deleted before the test ends.
func (n *Node) ForwardPorts(t testing.TB, namespace string) {
	t.Helper()
	n.kubelet.Do(func() { n.startKubelet(t) })
	for _, p := range n.Pods(namespace) {
		binding := &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Name: p.Name}, Target: corev1.ObjectReference{Kind: "Node", Name: nodeName}}
		if err := n.client.CoreV1().Pods(namespace).Bind(t.Context(), binding, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// startKubelet serves the ports of pods and registers the Node.
func (n *Node) startKubelet(t testing.TB) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /portForward/{namespace}/{pod}", func(w http.ResponseWriter, r *http.Request) {
		n.forwardPorts(w, r, r.PathValue("namespace"), r.PathValue("pod"))
	})
	server := httptest.NewTLSServer(mux)
	n.t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.ParseInt(port, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName}}
	if node, err = n.client.CoreV1().Nodes().Create(t.Context(), node, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "127.0.0.1"}}
	node.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(number)
	beat := func(ctx context.Context) error {
		now := metav1.Now()
		node.Status.Conditions = []corev1.NodeCondition{{
			Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastHeartbeatTime: now, LastTransitionTime: node.CreationTimestamp,
		}}
		node.ResourceVersion = "" // the node controller writes it, too
		_, err := n.client.CoreV1().Nodes().UpdateStatus(ctx, node, metav1.UpdateOptions{})
		return err
	}
	if err := beat(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	n.t.Cleanup(stop)
	n.wg.Go(func() {
		for tick := time.NewTicker(heartbeat); ; {
			select {
			case <-ctx.Done():
				tick.Stop()
				return
			case <-tick.C:
				_ = beat(ctx) // the next one follows
			}
		}
	})
}

// heartbeat is the time between two heartbeats of the Node. The node controller counts it as
// lost after 40 s.
const heartbeat = 5 * time.Second

// forwardPorts serves one connection of a client to ports of a pod.
func (n *Node) forwardPorts(w http.ResponseWriter, r *http.Request, namespace, name string) {
	var pod *Pod
	for _, p := range n.Pods(namespace) {
		if p.Name == name {
			pod = p
		}
	}
	if pod == nil {
		http.NotFound(w, r)
		return
	}
	if _, err := httpstream.Handshake(r, w, []string{"portforward.k8s.io"}); err != nil {
		return // Handshake has answered
	}
	streams := make(chan httpstream.Stream)
	connection := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(s httpstream.Stream, _ <-chan struct{}) error {
		streams <- s
		return nil
	})
	if connection == nil {
		return // UpgradeResponse has answered
	}
	defer func() { _ = connection.Close() }() // the client may have closed it
	errorStream := map[string]httpstream.Stream{}
	for {
		select {
		case <-connection.CloseChan():
			return
		case s := <-streams:
			id := s.Headers().Get(corev1.PortForwardRequestIDHeader)
			if s.Headers().Get(corev1.StreamType) == corev1.StreamTypeError {
				errorStream[id] = s
				continue
			}
			go pod.forward(s, errorStream[id])
		}
	}
}

// forward copies between a stream and the port that its headers name.
func (p *Pod) forward(data, errs httpstream.Stream) {
	defer data.Close()
	defer errs.Close()
	port, err := strconv.ParseInt(data.Headers().Get(corev1.PortHeader), 10, 32)
	if err != nil {
		fmt.Fprint(errs, err)
		return
	}
	target, err := net.Dial("tcp", p.Address(int32(port))) //nolint:noctx // ends with the process of the pod
	if err != nil {
		fmt.Fprint(errs, strings.TrimSpace(err.Error()))
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = io.Copy(data, target)
		_ = data.Close()
	})
	_, _ = io.Copy(target, data)
	_ = target.Close()
	wg.Wait()
}
