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

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/kubevela/kube-trigger/test/cluster"
)

const (
	label   = "trigger.oam.dev/application"
	version = "app.oam.dev/publishVersion"
)

// env is an API server, its clients, and the programs that are measured.
type env struct {
	cluster  *cluster.Cluster
	client   kubernetes.Interface
	dynamic  dynamic.Interface
	metadata metadata.Interface
	// dir holds the programs, their configuration, store and output.
	dir string
	// baseline is the path of another kube-trigger binary; empty for none.
	baseline string
	// populated is set once there is what the path needs.
	populated bool
	// edits is the number of edits. It makes each edit a change.
	edits atomic.Int64
}

// newEnv builds the programs and starts the API server.
func newEnv(ctx context.Context, baseline string) (e *env, err error) {
	e = &env{baseline: baseline}
	if e.dir, err = os.MkdirTemp("", "kube-trigger-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.close())
		}
	}()
	for name, folder := range map[string]string{triggerProgram: "cmd/kube-trigger", handwrittenProgram: "test/bench/handwritten"} {
		//nolint:gosec // the folders are constants
		build := exec.CommandContext(ctx, "go", "-C", folder, "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(e.dir, name), ".")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return e, fmt.Errorf("go build %s: %w\n%s", folder, err, out)
		}
	}
	if e.cluster, err = cluster.New(ctx, cluster.WithKubeVelaCRDs()); err != nil {
		return e, err
	}
	// Protobuf keeps the processor time of this process small.
	config := rest.CopyConfig(e.cluster.Config)
	config.ContentType = "application/vnd.kubernetes.protobuf"
	if e.client, err = kubernetes.NewForConfig(config); err != nil {
		return e, err
	}
	if e.dynamic, err = dynamic.NewForConfig(e.cluster.Config); err != nil {
		return e, err
	}
	e.metadata, err = metadata.NewForConfig(e.cluster.Config)
	return e, err
}

func (e *env) close() error {
	err := os.RemoveAll(e.dir)
	if e.cluster != nil {
		err = errors.Join(err, e.cluster.Close())
	}
	return err
}

func applications() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "core.oam.dev", Version: "v1beta1", Resource: "applications"}
}

func (e *env) namespace(ctx context.Context, name string) error {
	_, err := e.client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	return err
}

// application creates an Application at version 1.
func (e *env) application(ctx context.Context, namespace, name string) error {
	_, err := e.dynamic.Resource(applications()).Namespace(namespace).Create(ctx, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "core.oam.dev/v1beta1", "kind": "Application",
		"metadata": map[string]any{"name": name, "annotations": map[string]any{version: "1"}},
		"spec": map[string]any{"components": []any{
			map[string]any{"name": "web", "type": "webservice", "properties": map[string]any{"image": "web:1.14.2", "port": int64(8080)}},
			map[string]any{"name": "cache", "type": "webservice", "properties": map[string]any{"image": "redis:7.2"}},
		}},
	}}, metav1.CreateOptions{})
	return err
}

// configMap creates a ConfigMap with the given number of bytes of data. If labeled is set,
// its label names the Application of the same name.
func (e *env) configMap(ctx context.Context, namespace, name string, labeled bool, bytes int) error {
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{}}
	if labeled {
		cm.Labels = map[string]string{label: name}
	}
	const line = "a line of settings, as there are some\n"
	for i := 0; bytes > 0; i++ {
		size := min(bytes, 256)
		cm.Data[fmt.Sprintf("file-%d", i)] = strings.Repeat(line, size/len(line)+1)[:size]
		bytes -= size
	}
	_, err := e.client.CoreV1().ConfigMaps(namespace).Create(ctx, cm, metav1.CreateOptions{})
	return err
}

// edit patches the data of a ConfigMap. Each call changes it.
func (e *env) edit(ctx context.Context, namespace, name string) error {
	patch := fmt.Sprintf(`{"data":{"edit":"%d"}}`, e.edits.Add(1))
	_, err := e.client.CoreV1().ConfigMaps(namespace).Patch(ctx, name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	return err
}
