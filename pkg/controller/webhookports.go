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

package controller

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// The worker of a namespace serves the webhooks of each TriggerService on a port of its own:
// a network path to the webhooks of one does not lead to those of another. The ports are
// firstWebhookPort and the maxWebhookPorts-1 that follow.
const (
	firstWebhookPort = 8100
	maxWebhookPorts  = 256
)

// webhookPorts assigns the ports of webhooks in the workers of namespaces. It is safe for
// concurrent use.
type webhookPorts struct {
	mu         sync.Mutex
	namespaces map[string]map[int32]string
}

// assign returns the port of a TriggerService: the one it has, or a free one. used has the
// ports of other TriggerServices of the namespace. It returns 0 if none is free.
func (p *webhookPorts) assign(ts types.NamespacedName, used map[int32]string) int32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	ports := p.namespaces[ts.Namespace]
	if ports == nil {
		ports = map[int32]string{}
		if p.namespaces == nil {
			p.namespaces = map[string]map[int32]string{}
		}
		p.namespaces[ts.Namespace] = ports
	}
	for port, name := range used {
		if _, ok := ports[port]; !ok {
			ports[port] = name
		}
	}
	free := int32(0)
	for port := int32(firstWebhookPort + maxWebhookPorts - 1); port >= firstWebhookPort; port-- {
		switch ports[port] {
		case ts.Name:
			return port
		case "":
			free = port
		}
	}
	if free != 0 {
		ports[free] = ts.Name
	}
	return free
}

// release frees the port of a TriggerService.
func (p *webhookPorts) release(ts types.NamespacedName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ports := p.namespaces[ts.Namespace]
	for port, name := range ports {
		if name == ts.Name {
			delete(ports, port)
		}
	}
	if len(ports) == 0 {
		delete(p.namespaces, ts.Namespace)
	}
}
