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

package closure

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// marshal is json.Marshal(x).
func marshal(v any) (any, Status) {
	var b bytes.Buffer
	if s := appendJSON(&b, v); s != Present {
		return nil, s
	}
	return b.String(), Present
}

// appendJSON appends the JSON that CUE has of a value: without spaces, with characters of HTML as
// they are, and with the fields in their order.
func appendJSON(b *bytes.Buffer, v any) Status {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case string:
		encoder := json.NewEncoder(b)
		encoder.SetEscapeHTML(false)
		if encoder.Encode(v) != nil {
			return Unknown
		}
		b.Truncate(b.Len() - 1) // a line break
	case []any:
		b.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			if s := appendJSON(b, e); s != Present {
				return s
			}
		}
		b.WriteByte(']')
	case map[string]any, *object:
		return appendObject(b, v)
	default:
		return Unknown
	}
	return Present
}

func appendObject(b *bytes.Buffer, v any) Status {
	fields, _ := fieldsOf(v)
	names, ok := orderOf(v)
	if !ok {
		return Unknown
	}
	b.WriteByte('{')
	for i, name := range names {
		if i > 0 {
			b.WriteByte(',')
		}
		if s := appendJSON(b, name); s != Present {
			return s
		}
		b.WriteByte(':')
		if s := appendJSON(b, fields[name]); s != Present {
			return s
		}
	}
	b.WriteByte('}')
	return Present
}
