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

// Package pods runs the pods of a cluster without nodes: each as a process of this
// machine, from its spec, with a token of its ServiceAccount.
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
	// Log is the path of the log file.
	Log string

	node    *Node
	mu      sync.Mutex
	process *os.Process
	// addresses are the addresses of the process, by container port.
	addresses map[int32]string
	starts    int
	ending    bool
	ended     chan struct{}
}

// Run runs all pods with the label app.kubernetes.io/name=kube-trigger until the test
// ends. program is run instead of their image.
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

// inspect checks the logs for crashes and races, and prints all logs of a failed test.
func (n *Node) inspect() {
	for _, p := range n.all {
		text := p.Output()
		for _, bad := range []string{"panic:", "DATA RACE", "fatal error:"} {
			if strings.Contains(text, bad) {
				n.t.Errorf("pod %s/%s: the log contains %q", p.Namespace, p.Name, bad)
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

// Pods returns the running pods of a namespace.
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

// Outputs returns the logs of all pods of a namespace, also of deleted ones.
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

// Output returns the log of the pod.
func (p *Pod) Output() string {
	text, err := os.ReadFile(p.Log)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		p.node.t.Error(err)
	}
	return string(text)
}

// Starts returns the number of starts of the container.
func (p *Pod) Starts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.starts
}

// PID returns the ID of the pod's process; 0 if none is running.
func (p *Pod) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.process == nil {
		return 0
	}
	return p.process.Pid
}

// Kill kills the container, which is then restarted.
func (p *Pod) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.process != nil {
		_ = p.process.Kill() // it may have ended
	}
}

// end ends the pod without a restart.
func (p *Pod) end(signal os.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ending = true
	if p.process != nil {
		_ = p.process.Signal(signal) // it may have ended
	}
}

// run runs and restarts the container until the pod ends.
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
		done, err := p.runOnce(pod, container, kubeconfig)
		if done || err != nil {
			return err
		}
		time.Sleep(100 * time.Millisecond) // restart backoff
	}
}

// runOnce runs the container once, and reports whether the pod has ended.
func (p *Pod) runOnce(pod *corev1.Pod, container corev1.Container, kubeconfig string) (bool, error) {
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
	cmd := exec.Command(p.node.program, args...) //nolint:gosec,noctx // ended by Pod.end
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
		if err != nil && !p.accountDeleted(pod) {
			return true, fmt.Errorf("terminated with: %w", err)
		}
		return true, nil
	}
	fmt.Fprintf(out, "container ended: %v\n", err)
	p.node.patchReadiness(context.Background(), pod, false)
	return false, nil
}

// accountDeleted reports whether the pod's ServiceAccount was deleted. Then its token is
// invalid, and the pod cannot end gracefully.
func (p *Pod) accountDeleted(pod *corev1.Pod) bool {
	_, err := p.node.client.CoreV1().ServiceAccounts(pod.Namespace).Get(context.Background(), pod.Spec.ServiceAccountName, metav1.GetOptions{})
	return apierrors.IsNotFound(err)
}

// kubeconfig writes a kubeconfig with a token of the pod's ServiceAccount.
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

// Evict deletes the pod.
func (p *Pod) Evict(t testing.TB) {
	t.Helper()
	err := p.node.client.CoreV1().Pods(p.Namespace).Delete(t.Context(), p.Name, metav1.DeleteOptions{GracePeriodSeconds: ptr.To[int64](0)})
	if err != nil {
		t.Fatal(err)
	}
}

// Ended returns a channel that is closed when the pod's last process has ended.
func (p *Pod) Ended() <-chan struct{} { return p.ended }
