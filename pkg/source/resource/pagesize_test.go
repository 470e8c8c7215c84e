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

package resource

import (
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestPageSize(t *testing.T) {
	objects := func(size int) []metav1.Object {
		return []metav1.Object{&unstructured.Unstructured{Object: map[string]any{"data": strings.Repeat("x", size)}}}
	}
	small, large := objects(10), objects(1<<20)
	for name, tc := range map[string]struct {
		max   int64
		pages [][]metav1.Object
		want  []int64
	}{
		"small objects":          {500, [][]metav1.Object{small, small, small, small}, []int64{16, 32, 64, 64, 64}},
		"large objects":          {500, [][]metav1.Object{large, small, small}, []int64{16, 7, 7, 7}},
		"large ones later":       {500, [][]metav1.Object{small, small, large, small}, []int64{16, 32, 64, 7, 7}},
		"objects of 20 MiB":      {500, [][]metav1.Object{objects(20 << 20)}, []int64{16, 1}},
		"a small maximum":        {3, [][]metav1.Object{small, small}, []int64{3, 3, 3}},
		"metadata":               {500, [][]metav1.Object{{&metav1.PartialObjectMetadata{}}}, []int64{16, 500}},
		"a page without objects": {500, [][]metav1.Object{nil}, []int64{16, 32}},
	} {
		t.Run(name, func(t *testing.T) {
			p := pageSize{max: tc.max}
			got := []int64{p.first()}
			for _, page := range tc.pages {
				got = append(got, p.next(page))
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}
