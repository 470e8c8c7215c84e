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

// Package gateway runs cluster-gateway for tests, as an aggregated API of a hub's API
// server.
//
// The API server authorizes the requests of clients. cluster-gateway does not authenticate the
// API server: it runs in debug mode, because test control planes have no client certificate
// for aggregated APIs.
package gateway

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/test/cluster"
)

// manifests register the API. The API server connects to the ExternalName of the Service.
const manifests = `
apiVersion: v1
kind: Service
metadata: {name: gateway-service, namespace: vela-system}
spec: {type: ExternalName, externalName: 127.0.0.1}
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1alpha1.cluster.core.oam.dev}
spec:
  group: cluster.core.oam.dev
  version: v1alpha1
  groupPriorityMinimum: 2000
  versionPriority: 10
  insecureSkipTLSVerify: true
  service: {name: gateway-service, namespace: vela-system, port: %d}
`

// Start runs cluster-gateway until the test ends, and waits until hub serves its API. The
// namespace vela-system must exist in hub. Start fails the test on errors.
func Start(t testing.TB, hub *cluster.Cluster) {
	t.Helper()
	path, err := build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	port := reservePort(t)
	var log bytes.Buffer
	cmd := exec.Command(path, "--standalone-debug-mode", "--bind-address=127.0.0.1", "--permit-port-sharing", //nolint:noctx // killed by t.Cleanup
		"--secure-port="+strconv.Itoa(port), "--cert-dir="+t.TempDir(), "--kubeconfig="+hub.Kubeconfig,
		"--feature-gates=APIPriorityAndFairness=false")
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.Env = append(os.Environ(), "KUBECONFIG="+hub.Kubeconfig)
	cmd.Dir = t.TempDir()
	if err := cmd.Start(); err != nil {
		t.Fatalf("start cluster-gateway: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // always an error after Kill
		if t.Failed() {
			t.Logf("cluster-gateway:\n%s", log.String())
		}
	})
	admin, err := client.New(hub.Config, client.Options{})
	if err == nil {
		err = cluster.Apply(t.Context(), admin, fmt.Sprintf(manifests, port))
	}
	if err != nil {
		t.Fatal(err)
	}
	discoveryClient, err := discovery.NewDiscoveryClientForConfig(hub.Config)
	if err != nil {
		t.Fatal(err)
	}
	group := schema.GroupVersion{Group: "cluster.core.oam.dev", Version: "v1alpha1"}
	cluster.Eventually(t, "API of cluster-gateway", func(context.Context) error {
		_, err := discoveryClient.ServerResourcesForGroupVersion(group.String())
		return err
	})
}

// reservePort returns a free port of 127.0.0.1 that no other process gets until the test ends,
// except with SO_REUSEPORT. It binds the port, and does not listen.
func reservePort(t testing.TB) int {
	t.Helper()
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatalf("reserve port: %v", err)
	}
	t.Cleanup(func() { _ = unix.Close(socket) })
	if err := unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		t.Fatalf("reserve port: %v", err)
	}
	if err := unix.Bind(socket, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatalf("reserve port: %v", err)
	}
	bound, err := unix.Getsockname(socket)
	if err != nil {
		t.Fatalf("reserve port: %v", err)
	}
	return bound.(*unix.SockaddrInet4).Port
}
