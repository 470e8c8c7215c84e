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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubevela/kube-trigger/pkg/event"
)

const (
	// firstPageSize is the number of objects of the first page of a list, whose sizes
	// are unknown.
	firstPageSize = 16
	// maxObjectsPageSize is the maximum number of objects of a page, other than of
	// metadata only. The sizes of those that follow are unknown, and the largest have
	// 1.5 MiB.
	maxObjectsPageSize = 64
	// pageBytes is the memory of a page, if all of its objects are as large as the
	// largest one so far.
	pageBytes = 8 << 20
)

// pageSize is the number of objects of the pages of one list, which limits their memory.
type pageSize struct {
	// max is Options.PageSize.
	max     int64
	last    int64
	largest int64 // in bytes
}

// first returns the number of objects of the first page.
func (p *pageSize) first() int64 {
	p.last = min(firstPageSize, p.max)
	return p.last
}

// next returns the number of objects of the page after page: at most twice as many. Pages
// of metadata are not limited.
func (p *pageSize) next(page []metav1.Object) int64 {
	p.last = min(2*p.last, p.max, maxObjectsPageSize)
	for _, o := range page {
		u, ok := o.(*unstructured.Unstructured)
		if !ok {
			p.last = p.max
			return p.last
		}
		p.largest = max(p.largest, event.Size(u.Object))
	}
	if p.largest > 0 {
		p.last = max(min(p.last, pageBytes/p.largest), 1)
	}
	return p.last
}
