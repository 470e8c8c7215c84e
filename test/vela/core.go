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

package vela

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubevela/kube-trigger/test/cluster"
)

// runUntilEOF is a shell script that runs its arguments as a command, and terminates the
// command when stdin is closed, also because the test process has ended.
const runUntilEOF = `"$@" </dev/null & cat >/dev/null; kill $!; wait $!`

// features are the feature gates that KubeVela's chart sets.
const features = "ZstdResourceTracker=true,ZstdApplicationRevision=true,MultiStageComponentApply=true,PreDispatchDryRun=true," +
	"InformerCacheFilterUnnecessaryFields=true,SharedDefinitionStorageForApplicationRevision=true,DisableWorkflowContextConfigMapCache=true"

// run starts vela-core with feature gates and further arguments, and waits until it is ready.
// vela-core runs until the test ends.
func (k *KubeVela) run(t *testing.T, program, gates string, further ...string) {
	t.Helper()
	address, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{
		"--health-addr=" + address, "--metrics-addr=0", "--system-definition-namespace=" + Namespace,
		"--optimize-disable-component-revision", "--application-re-sync-period=5m", "--feature-gates=" + gates,
	}
	start(t, k.coreKubeconfig(t), k.home, program, append(args, further...)...)
	cluster.Eventually(t, "a ready vela-core", func(ctx context.Context) error {
		return checkURL(ctx, "http://"+address+"/readyz")
	})
}

// coreKubeconfig creates the ServiceAccount of vela-core, which is cluster-admin as in
// KubeVela's chart, and returns the path of its kubeconfig.
func (k *KubeVela) coreKubeconfig(t *testing.T) string {
	t.Helper()
	const name = "kubevela-vela-core"
	k.Apply(t, fmt.Sprintf(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, namespace: %[2]s, name: %[1]s}]
`, name, Namespace))
	config := k.ServiceAccount(t, Namespace, name)
	file := filepath.Join(k.home, name+".kubeconfig")
	err := clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{name: {Server: config.Host, CertificateAuthority: config.CAFile, CertificateAuthorityData: config.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{name: {Token: config.BearerToken}},
		Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: name}},
		CurrentContext: name,
	}, file)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// start starts a program that runs until the test ends. Its output is logged if the test
// fails.
func start(t *testing.T, kubeconfig, home, program string, args ...string) {
	t.Helper()
	log, err := os.Create(filepath.Join(home, filepath.Base(program)+".log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", append([]string{"-c", runUntilEOF, "sh", program}, args...)...) //nolint:gosec,noctx // own program, which ends with its stdin
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "HOME="+home)
	cmd.Stdout, cmd.Stderr = log, log
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait() // an error, because the program is terminated
		if err := log.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("%s:\n%s", program, tail(log.Name()))
		}
	})
}

// checkURL returns an error unless a GET request for url succeeds with status 200.
func checkURL(ctx context.Context, url string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, response.Status)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

// freeAddress returns an unused loopback address with its port.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // returns immediately
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// tail returns the last 8,000 bytes of a file, or the error.
func tail(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-8000):])
}
