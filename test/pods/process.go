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
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/ptr"
)

// Logs returns the output of all runs of the container.
func (p *Pod) Logs() string {
	text, err := os.ReadFile(p.logFile)
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

// PID returns the ID of the pod's process, or 0 while no process runs.
func (p *Pod) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.process == nil {
		return 0
	}
	return p.process.Pid
}

// Kill kills the process with SIGKILL. The container is restarted.
func (p *Pod) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.process != nil {
		_ = p.process.Kill() // the process may have exited
	}
}

// terminate sends a signal to the process, and prevents a restart.
func (p *Pod) terminate(signal os.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.terminating = true
	if p.process != nil {
		_ = p.process.Signal(signal) // the process may have exited
	}
}

// run runs the container, and restarts it until the pod is terminated.
func (p *Pod) run(pod *corev1.Pod) error {
	container := pod.Spec.Containers[0]
	if len(pod.Spec.Containers) > 1 || len(container.Command) > 0 {
		return fmt.Errorf("got %d containers and command %q, want one container without a command", len(pod.Spec.Containers), container.Command)
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

// runOnce runs the container once, and reports whether the pod is terminated.
func (p *Pod) runOnce(pod *corev1.Pod, container corev1.Container, kubeconfig string) (bool, error) {
	out, err := os.OpenFile(p.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return false, err
	}
	defer out.Close()
	args, addresses, err := assignAddresses(container, p.ip)
	if err == nil {
		args, err = p.resolveMounts(pod, container, args)
	}
	if err != nil {
		return false, err
	}
	command := append([]string{p.node.program}, args...)
	if p.node.limited {
		prefix, remove, err := p.node.limits(pod, container)
		defer remove()
		if err != nil {
			return false, err
		}
		command = append(prefix, command...)
	}
	cmd := exec.Command(command[0], command[1:]...) //nolint:gosec,noctx // ended by Pod.terminate
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = append(env(pod, container), "KUBECONFIG="+kubeconfig, "GORACE=halt_on_error=1", "HOME=/nonexistent")
	logSize, err := out.Seek(0, io.SeekEnd)
	if err != nil {
		return false, err
	}
	p.mu.Lock()
	if p.terminating {
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
	ctx, stop := context.WithCancel(context.Background())
	probeDone := make(chan struct{})
	go func() {
		defer close(probeDone)
		p.probe(ctx, pod, container)
	}()
	err = cmd.Wait()
	stop()
	<-probeDone
	p.mu.Lock()
	defer p.mu.Unlock()
	p.process = nil
	if p.terminating {
		if err == nil || p.node.limited || p.accountDeleted(pod) ||
			silent(out, logSize) && endedBy(err, syscall.SIGTERM) {
			return true, nil
		}
		return true, fmt.Errorf("terminate: %w", err)
	}
	fmt.Fprintf(out, "container exited: %v\n", err)
	p.node.patchReadiness(context.Background(), pod, false)
	return false, nil
}

// accountDeleted reports whether the pod's ServiceAccount is deleted. The token is then
// invalid, and a worker cannot shut down without an error.
func (p *Pod) accountDeleted(pod *corev1.Pod) bool {
	_, err := p.node.client.CoreV1().ServiceAccounts(pod.Namespace).Get(context.Background(), pod.Spec.ServiceAccountName, metav1.GetOptions{})
	return apierrors.IsNotFound(err)
}

// kubeconfig writes a kubeconfig with a token of the pod's ServiceAccount, and returns its
// path.
func (p *Pod) kubeconfig(pod *corev1.Pod) (string, error) {
	token, err := p.node.client.CoreV1().ServiceAccounts(pod.Namespace).CreateToken(
		context.Background(), pod.Spec.ServiceAccountName, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("create token of serviceaccount %q: %w", pod.Spec.ServiceAccountName, err)
	}
	config := rest.AnonymousClientConfig(p.node.cluster.Config)
	file := p.logFile + ".kubeconfig"
	return file, clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"c": {Server: config.Host, CertificateAuthority: config.CAFile, CertificateAuthorityData: config.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"u": {Token: token.Status.Token}},
		Contexts:       map[string]*clientcmdapi.Context{"x": {Cluster: "c", AuthInfo: "u", Namespace: pod.Namespace}},
		CurrentContext: "x",
	}, file)
}

// Evict deletes the pod with a grace period of 0. The process gets SIGTERM.
func (p *Pod) Evict(t testing.TB) {
	t.Helper()
	err := p.node.client.CoreV1().Pods(p.Namespace).Delete(t.Context(), p.Name, metav1.DeleteOptions{GracePeriodSeconds: ptr.To[int64](0)})
	if err != nil {
		t.Fatal(err)
	}
}

// Ended returns a channel that is closed when the pod is terminated and its process has
// exited.
func (p *Pod) Ended() <-chan struct{} { return p.ended }

// silent reports whether nothing was written to the log since it had the given size: the
// process was still being loaded, and a signal ends it.
func silent(log *os.File, size int64) bool {
	info, err := log.Stat()
	return err == nil && info.Size() == size
}

// endedBy reports whether err says that the signal ended the process.
func endedBy(err error, signal syscall.Signal) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == signal
}
