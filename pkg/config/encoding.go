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

package config

import (
	"bytes"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/kubevela/kube-trigger/pkg/diag"
)

// decodeText returns the content of a file as UTF-8 without a byte order mark. UTF-16
// with one, as Windows PowerShell writes it, is converted.
func decodeText(data []byte) ([]byte, error) {
	text, _, err := transform.Bytes(unicode.BOMOverride(encoding.Nop.NewDecoder()), data)
	return text, err
}

// encodingProblem returns the diagnostic of the first byte of text that is not UTF-8, or
// is a NUL, as in UTF-16 without a byte order mark; nil if there is none.
func encodingProblem(path string, text []byte) *diag.FileDiagnostic {
	at := bytes.IndexByte(text, 0)
	for i := 0; i < len(text) && (at < 0 || i < at); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			at = i
			break
		}
		i += size
	}
	if at < 0 {
		return nil
	}
	line, column := diag.PositionAfter(string(text[:at]))
	return &diag.FileDiagnostic{File: path, Line: line, Column: column, Message: "not UTF-8; save the file in this encoding"}
}
