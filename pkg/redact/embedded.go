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

package redact

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"
	"gopkg.in/yaml.v3"
)

const (
	// maxNesting is the maximum depth of texts within texts that are read. What is deeper
	// counts as a manifest of a Secret if it may be one.
	maxNesting = 8
	// maxInflated is the maximum size to which the compressed texts of one object are
	// decompressed, in bytes. What exceeds it counts as a copy of a Secret.
	maxInflated = 16 << 20
)

// text visits the Secrets in a text: in JSON, in YAML of one or several manifests, or
// compressed. It calls opaque for a text that cannot be read, and for one whose values
// cannot be replaced one by one: in YAML, values of several lines are indented.
func (v visitor) text(text string) {
	if v.inflates(text) {
		v.hide(text)
		return
	}
	if !namesSecret(text) {
		return
	}
	var document any
	if json.Unmarshal([]byte(text), &document) == nil && v.nesting < maxNesting {
		v.nesting++
		v.walk(document, false)
		return
	}
	documents, err := v.manifests(text)
	hidden := err != nil && hasData(text) || v.nesting == maxNesting
	inner := v
	inner.nesting++
	inner.secret = func(secret map[string]any) {
		if secret["data"] == nil && secret["stringData"] == nil {
			return // a reference, such as valuesFrom
		}
		hidden = true
		if v.secret != nil {
			v.secret(secret)
		}
	}
	inner.opaque = func(part string) {
		hidden = true
		v.hide(part)
	}
	for _, d := range documents {
		inner.walk(d, false)
	}
	if hidden {
		v.hide(text)
	}
}

func (v visitor) hide(text string) {
	if v.opaque != nil {
		v.opaque(text)
	}
}

// manifests returns the objects and lists in text, which is YAML of any number of
// documents. It returns an error if a part of text is something else.
func (v visitor) manifests(text string) ([]any, error) {
	if v.nesting == maxNesting {
		return nil, nil
	}
	var documents []any
	for d := yaml.NewDecoder(strings.NewReader(text)); ; {
		var document any
		if err := d.Decode(&document); errors.Is(err, io.EOF) {
			return documents, nil
		} else if err != nil {
			return documents, err
		}
		if scalar, ok := document.(string); ok && namesSecret(scalar) {
			return documents, errors.New("not a manifest")
		}
		documents = append(documents, document)
	}
}

// namesSecret reports whether text may contain a manifest of a Secret: the field kind with
// this value, in YAML, in JSON, or in JSON that is quoted.
func namesSecret(text string) bool {
	return hasField(text, "kind", func(value string) bool {
		after, ok := strings.CutPrefix(value, "Secret")
		after = strings.TrimPrefix(after, "List")
		return ok && (after == "" || !strings.ContainsAny(after[:1], "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"))
	})
}

// hasData reports whether text may contain the field data or stringData of a Secret.
func hasData(text string) bool {
	always := func(string) bool { return true }
	return hasField(text, "data", always) || hasField(text, "stringData", always)
}

// hasField reports whether text may have a field whose name ends in name, and whose value
// begins as accept wants.
func hasField(text, name string, accept func(value string) bool) bool {
	const quotes = "\\\"' \t"
	for {
		_, rest, found := strings.Cut(text, name)
		if !found {
			return false
		}
		text = rest
		value, isField := strings.CutPrefix(strings.TrimLeft(rest, quotes), ":")
		if isField && accept(strings.TrimLeft(value, quotes)) {
			return true
		}
	}
}

// inflates reports whether text is a compressed one that mentions Secrets, or that is too
// large to know: base64 of gzip or zstd, also twice, as in releases of Helm.
func (v visitor) inflates(text string) bool {
	for _, prefix := range []string{"H4sI", "KLUv/", "SDRzS", "S0xVdi"} {
		if !strings.HasPrefix(text, prefix) {
			continue
		}
		once, _ := base64.StdEncoding.DecodeString(text)
		twice, _ := base64.StdEncoding.DecodeString(string(once))
		return v.mentionsSecret(once) || v.mentionsSecret(twice)
	}
	return false
}

// mentionsSecret reports whether data is compressed and mentions Secrets, or is too large.
func (v visitor) mentionsSecret(data []byte) bool {
	r := decompressor(data)
	if r == nil {
		return false
	}
	defer r.Close()
	inflated, err := io.ReadAll(io.LimitReader(r, *v.budget+1))
	*v.budget = max(*v.budget-int64(len(inflated)), 0)
	return err == nil && *v.budget == 0 || bytes.Contains(inflated, []byte("Secret"))
}

// decompressor returns a reader of compressed data, or nil.
func decompressor(data []byte) io.ReadCloser {
	if r, err := gzip.NewReader(bytes.NewReader(data)); err == nil {
		return r
	}
	if bytes.HasPrefix(data, []byte("\x28\xb5\x2f\xfd")) {
		if r, err := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxInflated)); err == nil {
			return r.IOReadCloser()
		}
	}
	return nil
}
