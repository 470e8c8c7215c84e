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

// Package compression reads what KubeVela compresses: the ApplicationRevisions and
// ResourceTrackers in the API server, with the feature gates GzipApplicationRevision,
// ZstdApplicationRevision, GzipResourceTracker and ZstdResourceTracker.
//
// It is what package compression of github.com/kubevela/pkg writes, which reads without a
// limit.
package compression

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/oam-dev/kubevela-core-api/apis/core.oam.dev/v1beta1"

	"github.com/kubevela/kube-trigger/pkg/number"
)

// MaxObject is the maximum size to which Expand decompresses an object, in bytes.
const MaxObject = 16 << 20

// Expand decompresses an ApplicationRevision or ResourceTracker in place: what KubeVela has
// compressed is in its spec, as without compression, and spec.compression is gone. It leaves
// all other objects as they are, and those that it cannot read or that exceed MaxObject: they
// keep spec.compression.
func Expand(object map[string]any) {
	group, _ := object["apiVersion"].(string)
	spec, ok := object["spec"].(map[string]any)
	if !ok || !strings.HasPrefix(group, v1beta1.Group+"/") {
		return
	}
	switch object["kind"] {
	case v1beta1.ApplicationRevisionKind:
		if fields, ok := content(spec).(map[string]any); ok {
			maps.Copy(spec, fields)
			delete(spec, field)
		}
	case v1beta1.ResourceTrackerKind:
		if resources, ok := content(spec).([]any); ok {
			spec["managedResources"] = resources
			delete(spec, field)
		}
	}
}

// field is the field of a spec with the compressed data.
const field = "compression"

// content returns the decompressed content of a spec, or nil.
func content(spec map[string]any) any {
	compressed, _ := spec[field].(map[string]any)
	algorithm, _ := compressed["type"].(string)
	text, _ := compressed["data"].(string)
	if algorithm == "" || text == "" {
		return nil
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil
	}
	if data, err = Decompress(algorithm, data, MaxObject); err != nil {
		return nil
	}
	value, err := number.Unmarshal(data)
	if err != nil {
		return nil
	}
	return value
}

// Decompress returns what data decompresses to. The algorithm is "zstd" or "gzip". It
// returns an error if the result exceeds limit bytes.
func Decompress(algorithm string, data []byte, limit int64) ([]byte, error) {
	var reader io.Reader
	switch algorithm {
	case "zstd":
		r, err := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(uint64(limit)))
		if err != nil {
			return nil, fmt.Errorf("decompress: %w", err)
		}
		defer r.Close()
		reader = r
	case "gzip":
		r, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("decompress: %w", err)
		}
		reader = r
	default:
		return nil, fmt.Errorf("unsupported compression %q; supported: zstd, gzip", algorithm)
	}
	text, err := io.ReadAll(io.LimitReader(reader, limit+1))
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("decompressed data exceeds %d MiB", limit>>20)
	}
	return text, nil
}
