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

package app

import (
	"context"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/store/cluster"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// elected waits until this process is elected among those of its Deployment, once for all of
// its TriggerServices. The Lease goes with ts, or with the ServiceAccount of the workers if
// the process is the worker of a namespace. The process ends if it loses the Lease.
func (p *workerProcess) elected(ctx context.Context, ts *v1alpha1.TriggerService) (*cluster.Leader, error) {
	p.election.Lock()
	defer p.election.Unlock()
	if p.leader != nil {
		return p.leader, nil
	}
	lease, owners := trigger.Label(ts.Name)+"-worker", []metav1.OwnerReference{ownerReference(ts)}
	if p.WorkerNamespace != "" {
		lease, owners = trigger.NamespaceWorker, nil
		if uid := p.services.Account(trigger.WorkerAccount); uid != "" {
			owners = []metav1.OwnerReference{{APIVersion: corev1.SchemeGroupVersion.String(), Kind: "ServiceAccount", Name: trigger.WorkerAccount, UID: uid}}
		}
	}
	logr.FromContextOrDiscard(ctx).Info("waiting for the other worker to end", "lease", lease)
	leader, err := cluster.Elect(ctx, cluster.ElectionOptions{
		Client: p.storeClient(), Namespace: ts.Namespace, Name: lease, Identity: p.identity, LeaseDuration: p.LeaseDuration,
		OwnerReferences: owners,
	})
	if err != nil {
		return nil, err
	}
	p.leader = leader
	close(p.isElected)
	go func() {
		select {
		case <-leader.Lost():
			p.fail(errLost)
		case <-p.done:
		}
	}()
	return leader, nil
}

// resign releases the Lease.
func (p *workerProcess) resign(ctx context.Context) {
	if p.leader == nil {
		return
	}
	if err := p.leader.Close(); err != nil { //nolint:contextcheck // even if ctx has ended
		logr.FromContextOrDiscard(ctx).Info("Lease not released: another worker waits until it expires", "reason", err.Error())
	}
}

// storeClient returns the options of the clients of stores, with the worker's own rights.
func (p *workerProcess) storeClient() cluster.ClientOptions {
	return cluster.ClientOptions{Config: p.config, Scheme: p.clients.scheme, Mapper: p.clients.resource.Mapper}
}

// ownerReference returns a reference to ts.
func ownerReference(ts *v1alpha1.TriggerService) metav1.OwnerReference {
	return metav1.OwnerReference{APIVersion: v1alpha1.GroupVersion().String(), Kind: v1alpha1.TriggerServiceKind, Name: ts.Name, UID: ts.UID}
}
