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

package plane

import "fmt"

func etcdFlags(dataDir string, client, peer port) []string {
	return []string{
		"--name=test",
		"--data-dir=" + dataDir,
		"--listen-client-urls=" + client.url("http"),
		"--advertise-client-urls=" + client.url("http"),
		"--listen-peer-urls=" + peer.url("http"),
		"--initial-advertise-peer-urls=" + peer.url("http"),
		"--initial-cluster=test=" + peer.url("http"),
		"--quota-backend-bytes=8589934592",
		"--socket-reuse-port",
		"--unsafe-no-fsync",
		"--log-level=warn",
	}
}

func apiServerFlags(opts Options, c credentials, secure, etcd port) []string {
	flags := []string{
		"--etcd-servers=" + etcd.url("http"),
		"--etcd-compaction-interval=" + opts.Compaction.String(),
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", secure.number),
		"--permit-port-sharing",
		"--tls-cert-file=" + c.cert,
		"--tls-private-key-file=" + c.key,
		"--cert-dir=" + opts.Dir,
		"--token-auth-file=" + c.tokens,
		"--authorization-mode=RBAC",
		"--allow-privileged=true", // as kubeadm sets it
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + c.serviceAccountKey,
		"--service-account-signing-key-file=" + c.serviceAccountKey,
		"--service-cluster-ip-range=10.96.0.0/16",
		// The Endpoints of an API server on loopback are not used.
		"--endpoint-reconciler-type=none",
	}
	if !opts.ControllerManager {
		// This plugin requires default service accounts, which only the controller manager
		// creates.
		flags = append(flags, "--disable-admission-plugins=ServiceAccount")
	}
	if opts.AdmissionConfig != "" {
		flags = append(flags, "--admission-control-config-file="+opts.AdmissionConfig)
	}
	return flags
}

func controllerManagerFlags(kubeconfig string, c credentials) []string {
	return []string{
		"--kubeconfig=" + kubeconfig,
		"--use-service-account-credentials",
		"--service-account-private-key-file=" + c.serviceAccountKey,
		"--root-ca-file=" + c.ca,
		"--leader-elect=false",
		"--secure-port=0",
	}
}
