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
	"fmt"
	"regexp"
	"strings"

	yamlnode "gopkg.in/yaml.v3"
)

// misread returns the first node that YAML takes for something else than the text that is
// meant, and the reason: `filter: !context.data.paused` is a tag without a value, and
// `name: {{.data.name}}` an object. lines are those of the document.
func misread(n *yamlnode.Node, lines [][]byte) (at *yamlnode.Node, reason string) {
	const quoted = yamlnode.DoubleQuotedStyle | yamlnode.SingleQuotedStyle | yamlnode.LiteralStyle | yamlnode.FoldedStyle
	if n.Kind == yamlnode.ScalarNode && n.Style&quoted == 0 && (isTag(n.Tag) || isTag(textAt(n, lines))) {
		return n, "YAML: " + needsQuotes("!")
	}
	for i, c := range n.Content {
		isKey := n.Kind == yamlnode.MappingNode && i%2 == 0
		if isKey && c.Kind == yamlnode.MappingNode {
			return n, "YAML: " + needsQuotes("{{")
		}
		if isKey && c.Kind == yamlnode.SequenceNode {
			return c, "YAML: a key is a text, and not a list"
		}
		if at, reason := misread(c, lines); at != nil {
			return at, reason
		}
	}
	return nil, ""
}

// isTag reports whether text begins with a tag that is none of YAML's own.
func isTag(text string) bool {
	return strings.HasPrefix(text, "!") && !strings.HasPrefix(text, "!!") && !strings.HasPrefix(text, "!<")
}

// textAt returns the source of n and what follows on its line.
func textAt(n *yamlnode.Node, lines [][]byte) string {
	if n.Line < 1 || n.Line > len(lines) {
		return ""
	}
	line := []rune(string(lines[n.Line-1]))
	return string(line[min(max(n.Column-1, 0), len(line)):])
}

func needsQuotes(start string) string {
	return fmt.Sprintf("a text that begins with %s needs quotes, or | and lines of its own", start)
}

// hint returns what a syntax error is likely about, whose message names a line at which
// YAML has found it, or one before: "; …", or "".
func (p yamlPart) hint(message string, line int) string {
	lines := strings.Split(string(p.text), "\n")
	block := -1 // the indentation of the key of a block scalar, whose lines are text
	for i, text := range lines {
		rest := strings.TrimLeft(text, " ")
		if indent := len(text) - len(rest); rest == "" || block >= 0 && indent > block {
			continue
		} else if block = -1; startsBlock(rest) {
			block = indent
			continue
		}
		if i+2 < line {
			continue
		}
		if reason := syntaxHint(message, rest); reason != "" {
			return fmt.Sprintf("; line %d: %s", p.offset+i+1, reason)
		}
	}
	return ""
}

func startsBlock(line string) bool {
	return regexp.MustCompile(`(^|[:\-] +)[|>][-+0-9]*\s*(#.*)?$`).MatchString(line)
}

// syntaxHint returns why a line, without its indentation, is not valid YAML where the
// reason is a common one; "" otherwise.
func syntaxHint(message, line string) string {
	const key = `(?:^|[{,\-] *)"?[\w.\-/]+"?: +`
	if strings.HasPrefix(line, "\t") {
		return "indent with blanks, not with tabs"
	}
	if m := regexp.MustCompile(key + "([*@%`&!]|{{)").FindStringSubmatch(line); m != nil {
		return needsQuotes(m[1])
	}
	if m := regexp.MustCompile(key + `(?:(")[^"]*"|(')[^']*'|(\[)[^\]]*\])\s*[^\s,}\]#]`).FindStringSubmatch(line); m != nil {
		return needsQuotes(strings.Join(m[1:], ""))
	}
	if strings.Contains(message, "mapping values") && regexp.MustCompile(`^(?:- +)*"?[\w.\-/]+"?: +[^"'{\[|>#\s][^#]*: `).MatchString(line) {
		return `a text that contains ": " needs quotes, or | and lines of its own`
	}
	return ""
}
