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

// Package pods runs the pods of a test control plane, which has no nodes, as local processes.
//
// A process gets the arguments and the environment of the pod's container, and a token of its
// ServiceAccount. It is restarted when it ends, and its readiness probe sets the status of the
// pod.
package pods

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/kubevela/kube-trigger/test/cluster"
)

// Node runs pods. Its methods are safe for concurrent use.
type Node struct {
	t       testing.TB
	cluster *cluster.Cluster
	client  kubernetes.Interface
	program string
	dir     string
	// limited is set if the limits of containers hold.
	limited bool

	// kubelet starts the kubelet of ForwardPorts.
	kubelet sync.Once

	mu   sync.Mutex
	pods map[types.UID]*Pod
	all  []*Pod
	wg   sync.WaitGroup
}

// Pod is a pod and its process. Its methods are safe for concurrent use.
type Pod struct {
	Namespace, Name string
	node            *Node
	// ip is the address of its webhooks.
	ip string
	// logFile is the path of the log of all runs of the container.
	logFile string

	mu      sync.Mutex
	process *os.Process
	// addresses are the addresses of the process, by container port.
	addresses map[int32]string
	starts    int
	// terminating is set when the pod is deleted or the test ends.
	terminating bool
	// ended is closed when the last process has exited.
	ended chan struct{}
}

// Option configures a Node.
type Option func(*Node)

// WithLimits runs containers with their limits on memory and CPU, and lets them crash.
func WithLimits() Option { return func(n *Node) { n.limited = true } }

// Run runs program for each pod with the label app.kubernetes.io/name=kube-trigger. When the
// test ends, it terminates the processes, and fails the test if one of them exits with an
// error or its log contains a crash or a data race.
func Run(t testing.TB, c *cluster.Cluster, program string, options ...Option) *Node {
	t.Helper()
	n := &Node{t: t, cluster: c, client: c.Client(t), program: program, dir: t.TempDir(), pods: map[types.UID]*Pod{}}
	for _, o := range options {
		o(n)
	}
	ctx, stop := context.WithCancel(context.Background())
	factory := informers.NewSharedInformerFactoryWithOptions(n.client, 0, informers.WithTweakListOptions(func(o *metav1.ListOptions) {
		o.LabelSelector = "app.kubernetes.io/name=kube-trigger"
	}))
	_, err := factory.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    n.onUpdate,
		UpdateFunc: func(_, o any) { n.onUpdate(o) },
		DeleteFunc: n.onDelete,
	})
	if err != nil {
		t.Fatal(err)
	}
	factory.Start(ctx.Done())
	t.Cleanup(func() {
		stop()
		factory.Shutdown()
		n.mu.Lock()
		for _, p := range n.pods {
			p.terminate(syscall.SIGTERM)
		}
		n.mu.Unlock()
		n.wg.Wait()
		n.checkLogs()
	})
	return n
}

// checkLogs fails the test if a log contains a crash or a data race, and prints the end of all
// logs of a failed test.
func (n *Node) checkLogs() {
	for _, p := range n.all {
		text := p.Logs()
		for _, exclude := range []string{"panic:", "DATA RACE", "fatal error:"} {
			if strings.Contains(text, exclude) && !n.limited {
				n.t.Errorf("pod %s/%s: got %q in the log, want none", p.Namespace, p.Name, exclude)
			}
		}
		if n.t.Failed() {
			n.t.Logf("pod %s/%s:\n%s", p.Namespace, p.Name, text[max(0, len(text)-6000):])
		}
	}
}

func (n *Node) onUpdate(o any) {
	pod, ok := o.(*corev1.Pod)
	if !ok || pod.DeletionTimestamp != nil {
		n.onDelete(o)
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.pods[pod.UID] != nil {
		return
	}
	p := &Pod{
		Namespace: pod.Namespace, Name: pod.Name, node: n, ended: make(chan struct{}), ip: loopback(len(n.all)),
		logFile: filepath.Join(n.dir, pod.Namespace+"-"+pod.Name+".log"),
	}
	n.pods[pod.UID] = p
	n.all = append(n.all, p)
	n.wg.Go(func() {
		defer close(p.ended)
		if err := p.run(pod); err != nil {
			n.t.Errorf("pod %s/%s: %v", pod.Namespace, pod.Name, err)
		}
	})
}

func (n *Node) onDelete(o any) {
	if last, ok := o.(cache.DeletedFinalStateUnknown); ok {
		o = last.Obj
	}
	pod, ok := o.(*corev1.Pod)
	if !ok {
		return
	}
	n.mu.Lock()
	p := n.pods[pod.UID]
	delete(n.pods, pod.UID)
	n.mu.Unlock()
	if p != nil {
		p.terminate(syscall.SIGTERM)
	}
}

// Pods returns the pods of a namespace that are not deleted, in no order.
func (n *Node) Pods(namespace string) []*Pod {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []*Pod
	for _, p := range n.pods {
		if p.Namespace == namespace {
			out = append(out, p)
		}
	}
	return out
}

// Logs returns the logs of all pods of a namespace, including deleted pods.
func (n *Node) Logs(namespace string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var b strings.Builder
	for _, p := range n.all {
		if p.Namespace == namespace {
			b.WriteString(p.Logs())
		}
	}
	return b.String()
}
