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

// Package pods runs the pods of a cluster that has no node: each as a process of
// this machine, from its spec, with a token of its ServiceAccount.
package pods

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/ptr"

	"github.com/kubevela/kube-trigger/test/cluster"
)

// Node runs pods. It is safe for concurrent use.
type Node struct {
	t       testing.TB
	cluster *cluster.Cluster
	client  kubernetes.Interface
	program string
	dir     string

	mu   sync.Mutex
	pods map[types.UID]*Pod
	all  []*Pod
	wait sync.WaitGroup
}

// Pod is a pod and its process.
type Pod struct {
	Namespace, Name string
	// Log is the file that its processes write to.
	Log string

	node    *Node
	mu      sync.Mutex
	process *os.Process
	// addresses are where the process listens, by the container's port.
	addresses map[int32]string
	starts    int
	ending    bool
	ended     chan struct{}
}

// Run runs all pods whose label app.kubernetes.io/name is "kube-trigger", until
// the test ends. Their image is program.
func Run(t testing.TB, c *cluster.Cluster, program string) *Node {
	t.Helper()
	n := &Node{t: t, cluster: c, client: c.Client(t), program: program, dir: t.TempDir(), pods: map[types.UID]*Pod{}}
	ctx, stop := context.WithCancel(context.Background())
	factory := informers.NewSharedInformerFactoryWithOptions(n.client, 0, informers.WithTweakListOptions(func(o *metav1.ListOptions) {
		o.LabelSelector = "app.kubernetes.io/name=kube-trigger"
	}))
	_, err := factory.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    n.onUpdate,
		UpdateFunc: func(_, now any) { n.onUpdate(now) },
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
			p.end(syscall.SIGTERM)
		}
		n.mu.Unlock()
		n.wait.Wait()
		n.inspect()
	})
	return n
}

// inspect shows what must never be in a log, and all logs of a failed test.
func (n *Node) inspect() {
	for _, p := range n.all {
		text := p.Output()
		for _, bad := range []string{"panic:", "DATA RACE", "fatal error:"} {
			if strings.Contains(text, bad) {
				n.t.Errorf("pod %s/%s says %q", p.Namespace, p.Name, bad)
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
		Namespace: pod.Namespace, Name: pod.Name, node: n, ended: make(chan struct{}),
		Log: filepath.Join(n.dir, pod.Namespace+"-"+pod.Name+".log"),
	}
	n.pods[pod.UID] = p
	n.all = append(n.all, p)
	n.wait.Go(func() {
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
		p.end(syscall.SIGTERM)
	}
}

// Pods returns the pods of a namespace that run.
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

// Outputs returns what all pods of a namespace ever wrote.
func (n *Node) Outputs(namespace string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var b strings.Builder
	for _, p := range n.all {
		if p.Namespace == namespace {
			b.WriteString(p.Output())
		}
	}
	return b.String()
}

// Output is what the pod has written.
func (p *Pod) Output() string {
	text, err := os.ReadFile(p.Log)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		p.node.t.Error(err)
	}
	return string(text)
}

// Starts is how often its container was started.
func (p *Pod) Starts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.starts
}

// PID is that of the pod's process, 0 where there is none.
func (p *Pod) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.process == nil {
		return 0
	}
	return p.process.Pid
}

// Kill ends the container as a crash would; it is started again.
func (p *Pod) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.process != nil {
		_ = p.process.Kill() // or it has ended
	}
}

// end ends the pod for good.
func (p *Pod) end(signal os.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ending = true
	if p.process != nil {
		_ = p.process.Signal(signal) // or it has ended
	}
}

// run runs the container until the pod ends, again and again.
func (p *Pod) run(pod *corev1.Pod) error {
	container := pod.Spec.Containers[0]
	if len(pod.Spec.Containers) > 1 || len(container.Command) > 0 {
		return fmt.Errorf("want one container that runs the image's command, got %d and %q", len(pod.Spec.Containers), container.Command)
	}
	kubeconfig, err := p.kubeconfig(pod)
	if err != nil {
		return err
	}
	for {
		done, err := p.once(pod, container, kubeconfig)
		if done || err != nil {
			return err
		}
		time.Sleep(100 * time.Millisecond) // as a node waits before it starts a container again
	}
}

// once runs the container, and reports whether the pod has ended.
func (p *Pod) once(pod *corev1.Pod, container corev1.Container, kubeconfig string) (bool, error) {
	out, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return false, err
	}
	defer out.Close()
	args, addresses, err := assignAddresses(container)
	if err == nil {
		args, err = p.resolveMounts(pod, container, args)
	}
	if err != nil {
		return false, err
	}
	cmd := exec.Command(p.node.program, args...) //nolint:gosec,noctx // it ends with the pod
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = append(env(pod, container), "KUBECONFIG="+kubeconfig, "GORACE=halt_on_error=1", "HOME=/nonexistent")
	p.mu.Lock()
	if p.ending {
		p.mu.Unlock()
		return true, nil
	}
	err = cmd.Start()
	p.process, p.addresses = cmd.Process, addresses
	p.starts++
	p.mu.Unlock()
	if err != nil {
		return false, err
	}
	probing, stop := context.WithCancel(context.Background())
	probed := make(chan struct{})
	go func() {
		defer close(probed)
		p.probe(probing, pod, container)
	}()
	err = cmd.Wait()
	stop()
	<-probed
	p.mu.Lock()
	defer p.mu.Unlock()
	p.process = nil
	if p.ending {
		if err != nil && !p.isDisowned(pod) {
			return true, fmt.Errorf("told to end, it ended with: %w", err)
		}
		return true, nil
	}
	fmt.Fprintf(out, "container ended: %v\n", err)
	p.node.patchReadiness(context.Background(), pod, false)
	return false, nil
}

// isDisowned reports whether the pod's ServiceAccount is gone, and its token with
// it: then it may be unable to end gracefully.
func (p *Pod) isDisowned(pod *corev1.Pod) bool {
	_, err := p.node.client.CoreV1().ServiceAccounts(pod.Namespace).Get(context.Background(), pod.Spec.ServiceAccountName, metav1.GetOptions{})
	return apierrors.IsNotFound(err)
}

// kubeconfig replaces the token that is mounted into pods.
func (p *Pod) kubeconfig(pod *corev1.Pod) (string, error) {
	token, err := p.node.client.CoreV1().ServiceAccounts(pod.Namespace).CreateToken(
		context.Background(), pod.Spec.ServiceAccountName, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("token of %q: %w", pod.Spec.ServiceAccountName, err)
	}
	config := rest.AnonymousClientConfig(p.node.cluster.Config)
	file := p.Log + ".kubeconfig"
	return file, clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"c": {Server: config.Host, CertificateAuthority: config.CAFile, CertificateAuthorityData: config.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"u": {Token: token.Status.Token}},
		Contexts:       map[string]*clientcmdapi.Context{"x": {Cluster: "c", AuthInfo: "u", Namespace: pod.Namespace}},
		CurrentContext: "x",
	}, file)
}

// Evict deletes a pod, as a rollout or a drained node does.
func (p *Pod) Evict(t testing.TB) {
	t.Helper()
	err := p.node.client.CoreV1().Pods(p.Namespace).Delete(t.Context(), p.Name, metav1.DeleteOptions{GracePeriodSeconds: ptr.To[int64](0)})
	if err != nil {
		t.Fatal(err)
	}
}

// Ended is closed when the pod's last process has ended.
func (p *Pod) Ended() <-chan struct{} { return p.ended }
