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
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
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
		AddFunc:    n.take,
		UpdateFunc: func(_, now any) { n.take(now) },
		DeleteFunc: n.drop,
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

func (n *Node) take(o any) {
	pod, ok := o.(*corev1.Pod)
	if !ok || pod.DeletionTimestamp != nil {
		n.drop(o)
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

func (n *Node) drop(o any) {
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
	args, addresses, err := addressed(container)
	if err == nil {
		args, err = p.mounted(pod, container, args)
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
		if err != nil {
			return true, fmt.Errorf("told to end, it ended with: %w", err)
		}
		return true, nil
	}
	fmt.Fprintf(out, "container ended: %v\n", err)
	p.node.say(pod, false)
	return false, nil
}

// addressed returns the arguments of a container, with addresses on all
// interfaces moved to free ports of loopback: pods have a network of their own,
// and processes do not. addresses are by the container's port.
func addressed(c corev1.Container) (args []string, addresses map[int32]string, err error) {
	addresses = map[int32]string{}
	for _, a := range c.Args {
		if name, addr, ok := strings.Cut(a, "="); ok && strings.HasPrefix(addr, ":") {
			l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it returns at once
			if err != nil {
				return nil, nil, err
			}
			port, err := strconv.ParseInt(addr[1:], 10, 32)
			if err = errors.Join(err, l.Close()); err != nil {
				return nil, nil, err
			}
			addresses[int32(port)] = l.Addr().String()
			a = name + "=" + l.Addr().String()
		}
		args = append(args, a)
	}
	return args, addresses, nil
}

// mounted returns args with the folders that the pod has for itself in place of
// where a container sees them.
func (p *Pod) mounted(pod *corev1.Pod, c corev1.Container, args []string) ([]string, error) {
	for _, m := range c.VolumeMounts {
		at := slices.IndexFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name && v.EmptyDir != nil })
		if at < 0 {
			continue // the token, for which there is a kubeconfig
		}
		dir := p.Log + "." + m.Name
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], m.MountPath, dir)
		}
	}
	return args, nil
}

// Get asks the pod for a path on one of its ports, and returns the answer.
func (p *Pod) Get(ctx context.Context, port int32, path string) (status int, body string, err error) {
	p.mu.Lock()
	address := p.addresses[port]
	p.mu.Unlock()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return 0, "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

// probe says whether the pod is ready, as its readiness probe finds.
func (p *Pod) probe(ctx context.Context, pod *corev1.Pod, c corev1.Container) {
	port := int32(0)
	if c.ReadinessProbe != nil {
		for _, named := range c.Ports {
			if named.Name == c.ReadinessProbe.HTTPGet.Port.StrVal {
				port = named.ContainerPort
			}
		}
	}
	was := false
	for ctx.Err() == nil {
		ready := true
		if port != 0 {
			status, _, err := p.Get(ctx, port, c.ReadinessProbe.HTTPGet.Path)
			ready = err == nil && status == http.StatusOK
		}
		if ready != was && ctx.Err() == nil {
			p.node.say(pod, ready)
			was = ready
		}
		select {
		case <-ctx.Done():
		case <-time.After(probeEvery):
		}
	}
}

// probeEvery is more often than a node would, to find what is ready for a moment.
const probeEvery = 100 * time.Millisecond

func env(pod *corev1.Pod, c corev1.Container) []string {
	fields := map[string]string{"metadata.name": pod.Name, "metadata.namespace": pod.Namespace, "spec.serviceAccountName": pod.Spec.ServiceAccountName}
	var out []string
	for _, e := range c.Env {
		value := e.Value
		if e.ValueFrom != nil && e.ValueFrom.FieldRef != nil {
			value = fields[e.ValueFrom.FieldRef.FieldPath]
		}
		out = append(out, e.Name+"="+value)
	}
	return out
}

// kubeconfig stands for the token that a pod finds mounted.
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

// say writes a pod's status as a node does.
func (n *Node) say(pod *corev1.Pod, ready bool) {
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	patch := fmt.Sprintf(`{"status":{"phase":"Running","startTime":%q,"conditions":[{"type":"Ready","status":%q,"lastTransitionTime":%q},{"type":"ContainersReady","status":%q}]}}`,
		time.Now().UTC().Format(time.RFC3339), status, time.Now().UTC().Format(time.RFC3339), status)
	_, _ = n.client.CoreV1().Pods(pod.Namespace).Patch(context.Background(), pod.Name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}, "status") // or it is gone
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
