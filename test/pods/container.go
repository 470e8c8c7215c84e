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
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// webhookPort is the port that a worker's flag --webhook-addr has. The worker of a namespace
// serves webhooks on other ports of that address.
const webhookPort = 8090

// assignAddresses returns the arguments of a container. Free loopback addresses replace the
// addresses on all interfaces (":port"), because the processes share one network. addresses has
// them by container port. The address of webhooks is on ip, which no other pod has.
func assignAddresses(c corev1.Container, ip string) (args []string, addresses map[int32]string, err error) {
	addresses = map[int32]string{}
	for _, a := range c.Args {
		if name, addr, ok := strings.Cut(a, "="); ok && strings.HasPrefix(addr, ":") {
			port, err := strconv.ParseInt(addr[1:], 10, 32)
			if err != nil {
				return nil, nil, err
			}
			host := "127.0.0.1"
			if port == webhookPort {
				host = ip
			}
			l, err := net.Listen("tcp", host+":0") //nolint:noctx // returns immediately
			if err != nil {
				return nil, nil, err
			}
			defer l.Close() // together, so that no two arguments get the same address
			addresses[int32(port)] = l.Addr().String()
			a = name + "=" + l.Addr().String()
		}
		args = append(args, a)
	}
	return args, addresses, nil
}

// loopback returns the loopback address number n of this process. Only Linux has more than
// one.
func loopback(n int) string {
	if runtime.GOOS != "linux" {
		return "127.0.0.1"
	}
	pid := os.Getpid()
	return fmt.Sprintf("127.%d.%d.%d", 1+pid/256%254, pid%256, 1+n%254)
}

// resolveMounts replaces the mount paths of emptyDir volumes in args with directories of the
// pod, and returns args.
func (p *Pod) resolveMounts(pod *corev1.Pod, c corev1.Container, args []string) ([]string, error) {
	for _, m := range c.VolumeMounts {
		position := slices.IndexFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name && v.EmptyDir != nil })
		if position < 0 {
			continue // not an emptyDir: the token is in the kubeconfig
		}
		dir := p.logFile + "." + m.Name
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], m.MountPath, dir)
		}
	}
	return args, nil
}

// env returns the environment of a container.
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
