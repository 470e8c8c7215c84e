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

package expr

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Names gives the fields of data other names while CUE has them, because CUE keeps each
// name for as long as the process runs. The other names, the aliases, are used again for
// the next data. It is immutable and safe for concurrent use.
type Names struct {
	// kept are the names that are not replaced.
	kept NameSet
	// looped are the fields that must not be objects.
	looped LoopedFields
	// prefix is that of all aliases. It cannot be guessed, so that no data contains it.
	prefix string
}

// commonNames are names that most objects have. To replace them would be work for nothing.
func commonNames() []string {
	return []string{
		"annotations", "apiVersion", "binaryData", "body", "cluster", "creationTimestamp", "data", "deletionTimestamp",
		"finalizers", "generation", "headers", "id", "kind", "labels", "managedFields", "metadata", "name", "namespace",
		"ownerReferences", "resourceVersion", "spec", "status", "stringData", "type", "uid",
	}
}

// NewNames returns Names for data that is used like u. It returns nil where names are
// observed.
func NewNames(u NameUse) *Names {
	if u.Observed {
		return nil
	}
	kept := NameSet{}
	maps.Copy(kept, u.Source)
	for _, name := range commonNames() {
		kept[name] = true
	}
	return &Names{kept: kept, looped: u.Looped, prefix: "~" + rand.Text()[:16]}
}

// Renaming is the use of Names for one evaluation. A nil Renaming changes nothing.
type Renaming struct {
	*Names
	aliases map[string]string
	// names are the names that are replaced, by the number of their alias.
	names []string
}

// Begin returns a Renaming without aliases; nil if n is nil.
func (n *Names) Begin() *Renaming {
	if n == nil {
		return nil
	}
	return &Renaming{Names: n}
}

// aliasDigits is the number of digits in an alias. Aliases have the order of their names.
const aliasDigits = 7

// ErrRenaming is the error where names cannot be replaced: of Rename, where lists have the
// order of the names in data.
var ErrRenaming = errors.New("names cannot be replaced")

// Rename returns data with aliases for the names of its fields, other than those that are
// kept. Its field `context` is the context, others are the results of calls. It shares
// with data what it does not change.
func (r *Renaming) Rename(data map[string]any) (map[string]any, error) {
	if r == nil {
		return data, nil
	}
	found := map[string]bool{}
	for name, value := range data {
		looped := r.looped.Results
		if name == "context" {
			looped = r.looped.Context
		}
		if !r.collect(map[string]any{name: value}, looped, found) {
			return nil, ErrRenaming
		}
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if r.aliases == nil {
			r.aliases = map[string]string{}
		}
		// The quotes tell how often an alias was encoded as JSON.
		r.aliases[name] = fmt.Sprintf("%s\"%0*d\"", r.prefix, aliasDigits, len(r.names))
		r.names = append(r.names, name)
	}
	if len(r.names) == 0 {
		return data, nil
	}
	renamed, _ := r.rename(data).(map[string]any)
	return renamed, nil
}

// collect adds the names in v that need an alias and have none to found. It returns false
// where a looped field is an object.
func (r *Renaming) collect(v any, looped NameSet, found map[string]bool) bool {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			if _, isObject := value.(map[string]any); isObject && looped[name] {
				return false
			}
			if _, known := r.aliases[name]; !known && !r.kept[name] && !strings.HasPrefix(name, r.prefix) {
				found[name] = true
			}
			if !r.collect(value, looped, found) {
				return false
			}
		}
	case []any:
		for _, value := range v {
			if !r.collect(value, looped, found) {
				return false
			}
		}
	}
	return true
}

func (r *Renaming) rename(v any) any {
	switch v := v.(type) {
	case map[string]any:
		renamed := make(map[string]any, len(v))
		for name, value := range v {
			if alias, ok := r.aliases[name]; ok {
				name = alias
			}
			renamed[name] = r.rename(value)
		}
		return renamed
	case []any:
		renamed := make([]any, len(v))
		for i, value := range v {
			renamed[i] = r.rename(value)
		}
		return renamed
	}
	return v
}

// Restore returns v with the names in place of their aliases, also where aliases are in
// texts, such as JSON. It may change v.
func (r *Renaming) Restore(v any) any {
	if r == nil || len(r.names) == 0 {
		return v
	}
	switch v := v.(type) {
	case map[string]any:
		restored := make(map[string]any, len(v))
		for name, value := range v {
			restored[r.Text(name)] = r.Restore(value)
		}
		return restored
	case []any:
		for i, value := range v {
			v[i] = r.Restore(value)
		}
	case string:
		return r.Text(v)
	}
	return v
}

// Text returns text with the names in place of their aliases.
func (r *Renaming) Text(text string) string {
	if !r.Contains(text) {
		return text
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, r.prefix)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		name, length := r.aliasAt(rest)
		b.WriteString(name)
		text = rest[length:]
	}
}

// Contains reports whether text contains an alias.
func (r *Renaming) Contains(text string) bool {
	return r != nil && len(r.names) > 0 && strings.Contains(text, r.prefix)
}

// aliasAt returns the name for the alias at the start of text, which is without the
// prefix, and the length of the rest of the alias. The name is encoded as JSON as often
// as the alias was.
func (r *Renaming) aliasAt(text string) (name string, length int) {
	quote := text[:strings.IndexByte(text, '"')+1]
	end := len(quote) + aliasDigits
	if end > len(text) {
		return "", len(text)
	}
	number, err := strconv.Atoi(text[len(quote):end])
	if err != nil || number >= len(r.names) || !strings.HasPrefix(text[end:], quote) {
		return "", 0
	}
	name = r.names[number]
	for n := len(quote); n > 1; n /= 2 { // 1, 2, 4 … bytes: each encoding doubles them
		name = escapeJSON(name)
	}
	return name, end + len(quote)
}

// escapeJSON returns s as in a JSON string, without the quotes, as CUE encodes it.
func escapeJSON(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return s // a string can be encoded
	}
	return strings.TrimSuffix(b.String(), "\"\n")[1:]
}
