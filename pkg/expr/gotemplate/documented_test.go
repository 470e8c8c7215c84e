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

package gotemplate_test

import (
	"os"
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/expr/gotemplate"
	"github.com/kubevela/kube-trigger/pkg/number"
	"github.com/kubevela/kube-trigger/test/markdown"
)

// TestTemplate_Documented renders the message templates in the table of docs/messages.md with the
// event above it.
func TestTemplate_Documented(t *testing.T) {
	const page = "../../../docs/messages.md"
	rows := markdown.Tables(t, page)["you want | template | text"]
	if len(rows) < 10 {
		t.Fatalf("got %d templates, want at least 10", len(rows))
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(text), "```\n{")
	block, _, _ = strings.Cut(block, "```")
	for _, row := range rows {
		event, err := number.UnmarshalObject([]byte("{" + block))
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := gotemplate.Parse(row[1], gotemplate.Plain)
		if err != nil {
			t.Errorf("%s: %v", row[1], err)
			continue
		}
		if out, err := parsed.Execute(event); err != nil || out.Text != row[2] {
			t.Errorf("%s: got %q, %v; want %q", row[1], out.Text, err, row[2])
		}
	}
}
