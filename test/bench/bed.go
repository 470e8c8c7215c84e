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

// bed is an API server, what talks to it, and the programs to be measured.
type bed struct {
	cluster  *cluster.Cluster
	client   kubernetes.Interface
	dynamic  dynamic.Interface
	metadata metadata.Interface
	// dir holds the programs, their configuration and output.
	dir string
	// edits counts them, so that each makes a difference.
	edits atomic.Int64
}

func newBed(ctx context.Context) (b *bed, err error) {
	b = &bed{}
	if b.dir, err = os.MkdirTemp("", "kube-trigger-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	for name, folder := range map[string]string{"kube-trigger": "./cmd/kube-trigger", "handwritten": "./test/bench/handwritten"} {
		//nolint:gosec // the folders are ours
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(b.dir, name), folder)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return b, fmt.Errorf("go build %s: %w\n%s", folder, err, out)
		}
	}
	if b.cluster, err = cluster.New(ctx, cluster.WithKubeVelaCRDs()); err != nil {
		return b, err
	}
	// What the bench itself takes of the processors is kept small.
	config := rest.CopyConfig(b.cluster.Config)
	config.ContentType = "application/vnd.kubernetes.protobuf"
	if b.client, err = kubernetes.NewForConfig(config); err != nil {
		return b, err
	}
	if b.dynamic, err = dynamic.NewForConfig(b.cluster.Config); err != nil {
		return b, err
	}
	b.metadata, err = metadata.NewForConfig(b.cluster.Config)
	return b, err
}

func (b *bed) close() error {
	err := os.RemoveAll(b.dir)
	if b.cluster != nil {
		err = errors.Join(err, b.cluster.Close())
	}
	return err
}

func applications() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "core.oam.dev", Version: "v1beta1", Resource: "applications"}
}

func (b *bed) namespace(ctx context.Context, name string) error {
	_, err := b.client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	return err
}

// application creates an Application at version 1.
func (b *bed) application(ctx context.Context, namespace, name string) error {
	_, err := b.dynamic.Resource(applications()).Namespace(namespace).Create(ctx, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "core.oam.dev/v1beta1", "kind": "Application",
		"metadata": map[string]any{"name": name, "annotations": map[string]any{version: "1"}},
		"spec": map[string]any{"components": []any{
			map[string]any{"name": "web", "type": "webservice", "properties": map[string]any{"image": "web:1.14.2", "port": int64(8080)}},
			map[string]any{"name": "cache", "type": "webservice", "properties": map[string]any{"image": "redis:7.2"}},
		}},
	}}, metav1.CreateOptions{})
	return err
}

// configMap creates a ConfigMap of that many bytes, which belongs to the
// Application of its own name, or to none.
func (b *bed) configMap(ctx context.Context, namespace, name string, belongs bool, bytes int) error {
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{}}
	if belongs {
		cm.Labels = map[string]string{label: name}
	}
	const line = "a line of settings, as there are some\n"
	for i := 0; bytes > 0; i++ {
		size := min(bytes, 256)
		cm.Data[fmt.Sprintf("file-%d", i)] = strings.Repeat(line, size/len(line)+1)[:size]
		bytes -= size
	}
	_, err := b.client.CoreV1().ConfigMaps(namespace).Create(ctx, cm, metav1.CreateOptions{})
	return err
}

// edit changes a ConfigMap.
func (b *bed) edit(ctx context.Context, namespace, name string) error {
	patch := fmt.Sprintf(`{"data":{"edit":"%d"}}`, b.edits.Add(1))
	_, err := b.client.CoreV1().ConfigMaps(namespace).Patch(ctx, name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	return err
}
