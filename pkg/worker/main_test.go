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

package worker_test

import (
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/test/cluster"
)

func TestMain(m *testing.M) {
	// The workflow library starts a goroutine in init, and HTTP/2 connections stay
	// open for the next request.
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent(), goleak.IgnoreAnyFunction("golang.org/x/net/http2.(*clientConnReadLoop).run"))
}

// env is a namespace of a cluster with the CRDs installed.
type env struct {
	*cluster.Cluster
	client client.Client
	ns     string
}

func newEnv(t *testing.T) *env {
	t.Helper()
	e := &env{Cluster: cluster.Start(t)}
	crds, err := filepath.Glob("../../addon/crds/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	e.Install(t, crds...)
	e.ns = e.Namespace(t)
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, corev1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	if e.client, err = client.New(e.Config, client.Options{Scheme: scheme}); err != nil {
		t.Fatal(err)
	}
	return e
}

// createService creates the TriggerService "main".
func (e *env) createService(t *testing.T) *v1alpha1.TriggerService {
	t.Helper()
	ts := &v1alpha1.TriggerService{}
	ts.Namespace, ts.Name = e.ns, "main"
	ts.Spec.Triggers = []v1alpha1.Trigger{{Source: v1alpha1.Source{Type: "a"}, Action: v1alpha1.Action{Type: "b"}}}
	if err := e.client.Create(t.Context(), ts); err != nil {
		t.Fatal(err)
	}
	return ts
}

// patchStatus patches the status of ts, as the controller does.
func (e *env) patchStatus(t *testing.T, ts *v1alpha1.TriggerService, change func(*v1alpha1.TriggerServiceStatus)) {
	t.Helper()
	before := ts.DeepCopy()
	change(&ts.Status)
	if err := e.client.Status().Patch(t.Context(), ts, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
}
