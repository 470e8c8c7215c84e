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

// Package markdown reads the tables of documents, so that tests can check their rows.
package markdown

import (
	"os"
	"strings"
	"testing"
)

// Tables returns the rows of the tables of a document by their header, in order. Tables with
// equal headers count as one. Code is without its backticks, and \| is |.
func Tables(t testing.TB, file string) map[string][][]string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	out, header := map[string][][]string{}, ""
	for line := range strings.Lines(string(text)) {
		row, isRow := strings.CutPrefix(strings.TrimSpace(line), "| ")
		switch {
		case !isRow:
			header = ""
		case header == "":
			header = strings.TrimSuffix(row, " |")
		case !strings.HasPrefix(row, "---"):
			out[header] = append(out[header], cells(row))
		}
	}
	return out
}

// cells returns the cells of the row of a table.
func cells(row string) []string {
	const pipe = "\x00"
	var out []string
	for cell := range strings.SplitSeq(strings.TrimSuffix(strings.ReplaceAll(row, `\|`, pipe), " |"), " | ") {
		cell = strings.ReplaceAll(strings.TrimSpace(cell), pipe, "|")
		if strings.HasPrefix(cell, "`") && strings.HasSuffix(cell, "`") && strings.Count(cell, "`") == 2 {
			cell = strings.Trim(cell, "`")
		}
		out = append(out, cell)
	}
	return out
}
