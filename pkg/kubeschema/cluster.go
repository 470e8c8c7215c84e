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

package kubeschema

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
)

const (
	// maxKinds is the maximum number of kinds that are read at once.
	maxKinds = 20
	// maxDocument is the maximum size of the document of an API version, in bytes. That of Kubernetes's own
	// v1 has 2 MiB.
	maxDocument = 16 << 20
	// maxDocuments is the number of documents that are kept.
	maxDocuments = 4
)

// Cluster reads schemas from an API server. It is safe for concurrent use.
type Cluster struct {
	client rest.Interface

	mu sync.Mutex
	// documents are the last ones, by their URLs, which have a hash of the content.
	documents map[string]document
}

// NewCluster returns the Cluster of an API server. It makes no requests.
func NewCluster(cfg *rest.Config, httpClient *http.Client) (*Cluster, error) {
	c, err := discovery.NewDiscoveryClientForConfigAndClient(cfg, httpClient)
	if err != nil {
		return nil, err
	}
	return &Cluster{client: c.RESTClient(), documents: map[string]document{}}, nil
}

// Kinds returns the types of kinds, at most 20, without those that the cluster does not have. The error is
// about kinds that could not be read.
func (c *Cluster) Kinds(ctx context.Context, kinds []schema.GroupVersionKind) ([]Kind, error) {
	if len(kinds) == 0 {
		return nil, nil
	}
	var index struct {
		Paths map[string]struct {
			URL string `json:"serverRelativeURL"`
		} `json:"paths"`
	}
	if err := c.get(ctx, "/openapi/v3", &index); err != nil {
		return nil, fmt.Errorf("read schemas: %w", err)
	}
	var (
		all  []Kind
		errs []error
	)
	for _, kind := range kinds[:min(len(kinds), maxKinds)] {
		path := "apis/" + kind.Group + "/" + kind.Version
		if kind.Group == "" {
			path = "api/" + kind.Version
		}
		url := index.Paths[path].URL
		if url == "" || slices.ContainsFunc(all, func(k Kind) bool { return k.GroupVersionKind == kind }) {
			continue
		}
		d, err := c.document(ctx, url)
		if err != nil {
			errs = append(errs, fmt.Errorf("read schema of %s: %w", Name(kind), err))
			continue
		}
		if root, ok := d.roots()[kind]; ok {
			all = append(all, Kind{kind, d.typeOf(kind, root)})
		}
	}
	return all, errors.Join(errs...)
}

// document returns the document at a URL.
func (c *Cluster) document(ctx context.Context, url string) (document, error) {
	c.mu.Lock()
	d, ok := c.documents[url]
	c.mu.Unlock()
	if ok {
		return d, nil
	}
	if err := c.get(ctx, url, &d); err != nil {
		return d, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.documents) >= maxDocuments {
		clear(c.documents)
	}
	c.documents[url] = d
	return d, nil
}

// get decodes the JSON at a URL of the API server.
func (c *Cluster) get(ctx context.Context, url string, out any) error {
	body, err := c.client.Get().RequestURI(url).SetHeader("Accept", "application/json").Stream(ctx)
	if err != nil {
		return err
	}
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, maxDocument+1))
	if err != nil {
		return err
	}
	if len(text) > maxDocument {
		return fmt.Errorf("is larger than %d MiB", maxDocument>>20)
	}
	return json.Unmarshal(text, out)
}
