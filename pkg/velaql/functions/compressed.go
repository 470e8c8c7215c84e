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

package functions

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// maxDecompressed is the maximum size of decompressed data, in bytes.
const maxDecompressed = 64 << 20

// compressed is data in KubeVela's compression format.
type compressed struct {
	Type string `json:"type"`
	Data []byte `json:"data"`
}

// decompress returns the decompressed data of c.
func (c compressed) decompress() ([]byte, error) {
	var reader io.Reader
	switch c.Type {
	case "zstd":
		r, err := zstd.NewReader(bytes.NewReader(c.Data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxDecompressed))
		if err != nil {
			return nil, fmt.Errorf("decompress: %w", err)
		}
		defer r.Close()
		reader = r
	case "gzip":
		r, err := gzip.NewReader(bytes.NewReader(c.Data))
		if err != nil {
			return nil, fmt.Errorf("decompress: %w", err)
		}
		reader = r
	default:
		return nil, fmt.Errorf("unsupported compression %q; supported: zstd, gzip", c.Type)
	}
	text, err := io.ReadAll(io.LimitReader(reader, maxDecompressed+1))
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	if len(text) > maxDecompressed {
		return nil, fmt.Errorf("decompressed data exceeds %d MiB", maxDecompressed>>20)
	}
	return text, nil
}
