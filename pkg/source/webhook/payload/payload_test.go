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

package payload_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevela/kube-trigger/pkg/source/webhook/payload"
)

func headers(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

// compressed returns text in a format.
func compressed(format, text string) string {
	var b bytes.Buffer
	var w io.WriteCloser
	switch format {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "zlib":
		w = zlib.NewWriter(&b)
	case "deflate":
		w, _ = flate.NewWriter(&b, flate.DefaultCompression) // the level is valid
	case "zstd":
		w, _ = zstd.NewWriter(&b) // there are no options
	}
	_, _ = io.WriteString(w, text) // a bytes.Buffer returns no errors
	_ = w.Close()
	return b.String()
}

const structured = `{"specversion":"1.0","id":"1","source":"/s","type":"t","subject":"u","time":"2026-11-23T12:00:00.5+01:00",` +
	`"traceid":"x","datacontenttype":"application/json","data":{"n":3}}`

func TestParse(t *testing.T) {
	binary := func(more ...string) http.Header {
		return headers(append([]string{"Ce-Specversion", "1.0", "Ce-Id", "1", "Ce-Source", "/s", "Ce-Type", "t"}, more...)...)
	}
	attributes := func(more map[string]any) map[string]any {
		out := map[string]any{"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}
		for k, v := range more {
			out[k] = v
		}
		return out
	}
	for _, tc := range []struct {
		name   string
		header http.Header
		body   string
		want   payload.Payload
		err    error
	}{
		{"JSON", headers("Content-Type", "application/json; charset=utf-8"), `{"a":[1,2.5,"x",null,true]}`,
			payload.Payload{Body: map[string]any{"a": []any{int64(1), 2.5, "x", nil, true}}}, nil},
		{"vendor JSON", headers("Content-Type", "application/vnd.docker.distribution.events.v1+json"), `1`, payload.Payload{Body: int64(1)}, nil},
		{"no content type", headers(), `"x"`, payload.Payload{Body: "x"}, nil},
		{"form", headers("Content-Type", "application/x-www-form-urlencoded"), "a=1&b=x+y&b=%C3%A4&c",
			payload.Payload{Body: map[string]any{"a": "1", "b": []any{"x y", "ä"}, "c": ""}}, nil},
		{"structured", headers("Content-Type", "application/cloudevents+json; charset=utf-8"), structured, payload.Payload{
			Body:       map[string]any{"n": int64(3)},
			CloudEvent: attributes(map[string]any{"subject": "u", "time": "2026-11-23T11:00:00.5Z", "traceid": "x", "datacontenttype": "application/json"}),
		}, nil},
		{"binary", binary("Content-Type", "application/json", "Ce-Traceid", "x"), `{"n":3}`, payload.Payload{
			Body: map[string]any{"n": int64(3)}, CloudEvent: attributes(map[string]any{"traceid": "x", "datacontenttype": "application/json"}),
		}, nil},
		{"binary text", binary("Content-Type", "text/plain"), `hello`, payload.Payload{
			Body: "hello", CloudEvent: attributes(map[string]any{"datacontenttype": "text/plain"}),
		}, nil},
		{"binary bytes", binary("Content-Type", "application/octet-stream"), "\xff\x00", payload.Payload{
			Body: "/wA=", CloudEvent: attributes(map[string]any{"datacontenttype": "application/octet-stream"}),
		}, nil},
		{"no data", binary(), ``, payload.Payload{CloudEvent: attributes(nil)}, nil},
		{"old CloudEvent", headers("Ce-Specversion", "0.1", "Ce-Id", "1"), ``, payload.Payload{}, payload.ErrMalformed},
		{"no id", headers("Ce-Specversion", "1.0", "Ce-Source", "/s", "Ce-Type", "t"), ``, payload.Payload{}, payload.ErrMalformed},
		{"CloudEvent in XML", headers("Content-Type", "application/cloudevents+xml"), `<a/>`, payload.Payload{}, payload.ErrUnsupported},
		{"XML", headers("Content-Type", "application/xml"), `<a/>`, payload.Payload{}, payload.ErrUnsupported},
		{"invalid content type", headers("Content-Type", ";"), `1`, payload.Payload{}, payload.ErrUnsupported},
		{"two values", headers(), `1 2`, payload.Payload{}, payload.ErrMalformed},
		{"large exponent", headers(), `{"n":1e1000000}`, payload.Payload{}, payload.ErrMalformed}, // spray/spray-json#283
		{"large exponent as text", headers("Content-Type", "text/plain"), `1e1000000`, payload.Payload{Body: "1e1000000"}, nil},
		{"empty", headers(), ``, payload.Payload{}, nil},
		{"JSON as text", headers("Content-Type", "text/plain; charset=UTF-8"), `{"a":1}`, payload.Payload{Body: map[string]any{"a": int64(1)}}, nil},
		{"text", headers("Content-Type", "text/plain"), `a {text}`, payload.Payload{Body: "a {text}"}, nil},
		{"form with JSON", headers("Content-Type", "application/x-www-form-urlencoded"), `payload=%7B%22a%22%3A1%7D&b=%7B%7D`,
			payload.Payload{Body: map[string]any{"payload": map[string]any{"a": int64(1)}, "b": "{}"}}, nil},
		{"form with a list", headers("Content-Type", "application/x-www-form-urlencoded"), `payload=%5B1%5D`,
			payload.Payload{Body: map[string]any{"payload": []any{int64(1)}}}, nil},
		// webhooksite/webhook.site#45: curl calls JSON a form.
		{"JSON as a form", headers("Content-Type", "application/x-www-form-urlencoded"), ` {"a":"b=c&d"}`, payload.Payload{Body: map[string]any{"a": "b=c&d"}}, nil},
		{"form that begins like JSON", headers("Content-Type", "application/x-www-form-urlencoded"), `{a=1`, payload.Payload{Body: map[string]any{"{a": "1"}}, nil},
		// vernemq/vernemq#210.
		{"JSON as bytes", headers("Content-Type", "application/octet-stream"), `{"a":1}`, payload.Payload{Body: map[string]any{"a": int64(1)}}, nil},
		{"bytes", headers("Content-Type", "application/octet-stream"), `PK`, payload.Payload{}, payload.ErrUnsupported},
		// Wave-RF/WaveHouse#552.
		{"repeated parameter", headers("Content-Type", "application/json; charset=utf-8; charset=UTF-8"), `{"a":1}`, payload.Payload{Body: map[string]any{"a": int64(1)}}, nil},
		{"two media types", headers("Content-Type", "application/json, application/json"), `{"a":1}`, payload.Payload{}, payload.ErrUnsupported},
		// roadrunner-server/roadrunner#1733.
		{"form with semicolons", headers("Content-Type", "application/x-www-form-urlencoded"), `text=a;b&c=d;`, payload.Payload{Body: map[string]any{"text": "a;b", "c": "d;"}}, nil},
		{"parameter without a value", headers("Content-Type", "application/json; charset"), `{"a":1}`, payload.Payload{Body: map[string]any{"a": int64(1)}}, nil},
		{"form with text", headers("Content-Type", "application/x-www-form-urlencoded"), `payload=hello`,
			payload.Payload{Body: map[string]any{"payload": "hello"}}, nil},
		{"gzip", headers("Content-Encoding", "gzip"), compressed("gzip", `{"a":1}`), payload.Payload{Body: map[string]any{"a": int64(1)}}, nil},
		{"zlib", headers("Content-Encoding", "deflate"), compressed("zlib", `{"a":1}`), payload.Payload{Body: map[string]any{"a": int64(1)}}, nil},
		{"deflate", headers("Content-Encoding", "Deflate"), compressed("deflate", `{"a":1}`), payload.Payload{Body: map[string]any{"a": int64(1)}}, nil},
		{"zstd", headers("Content-Encoding", "zstd"), compressed("zstd", `{"a":1}`), payload.Payload{Body: map[string]any{"a": int64(1)}}, nil},
		{"gzip bomb", headers("Content-Encoding", "gzip"), compressed("gzip", `"`+strings.Repeat("0", 64<<20)+`"`), payload.Payload{}, payload.ErrTooLarge},
		{"zstd bomb", headers("Content-Encoding", "zstd"), compressed("zstd", `"`+strings.Repeat("0", 64<<20)+`"`), payload.Payload{}, payload.ErrTooLarge},
		{"cut gzip", headers("Content-Encoding", "gzip"), compressed("gzip", `{"a":1}`)[:15], payload.Payload{}, payload.ErrMalformed},
		{"not gzip", headers("Content-Encoding", "gzip"), `{"a":1}`, payload.Payload{}, payload.ErrMalformed},
		{"brotli", headers("Content-Encoding", "br"), `x`, payload.Payload{}, payload.ErrUnsupported},
		{"two encodings", headers("Content-Encoding", "gzip, gzip"), `x`, payload.Payload{}, payload.ErrUnsupported},
		{"Latin-1", headers("Content-Type", "application/json; charset=ISO-8859-1"), "\"\xe4\"", payload.Payload{Body: "ä"}, nil},
		{"UTF-16", headers("Content-Type", "application/json; charset=utf-16le"), "\"\x00\xe4\x00\"\x00", payload.Payload{Body: "ä"}, nil},
		{"byte order mark", headers("Content-Type", "application/json"), "\xef\xbb\xbf\"ä\"", payload.Payload{Body: "ä"}, nil},
		// n8n-io/n8n#35933, SharePoint/sp-dev-docs#1123: bodies with a byte order mark.
		{"mark of UTF-16", headers("Content-Type", "application/json"), "\xff\xfe\"\x00\xe4\x00\"\x00", payload.Payload{Body: "ä"}, nil},
		{"mark of UTF-16, big-endian", headers("Content-Type", "application/json; charset=utf-8"), "\xfe\xff\x00\"\x00\xe4\x00\"", payload.Payload{Body: "ä"}, nil},
		{"UTF-16, big-endian", headers("Content-Type", "application/json; charset=UTF-16"), "\xfe\xff\x00\"\x00\xe4\x00\"", payload.Payload{Body: "ä"}, nil},
		{"UTF-16 without a mark", headers("Content-Type", "application/json; charset=UTF-16"), "\"\x00\xe4\x00\"\x00", payload.Payload{Body: "ä"}, nil},
		{"structured with a mark", headers("Content-Type", "application/cloudevents+json"), "\xef\xbb\xbf" + structured, payload.Payload{
			Body:       map[string]any{"n": int64(3)},
			CloudEvent: attributes(map[string]any{"subject": "u", "time": "2026-11-23T11:00:00.5Z", "traceid": "x", "datacontenttype": "application/json"}),
		}, nil},
		{"binary with a mark", binary("Content-Type", "application/json"), "\xef\xbb\xbf" + `{"n":3}`, payload.Payload{
			Body: map[string]any{"n": int64(3)}, CloudEvent: attributes(map[string]any{"datacontenttype": "application/json"}),
		}, nil},
		{"not UTF-8", headers("Content-Type", "application/json"), "\"\xe4\"", payload.Payload{}, payload.ErrMalformed},
		{"unknown charset", headers("Content-Type", "application/json; charset=klingon"), `1`, payload.Payload{}, payload.ErrUnsupported},
		{"compressed CloudEvent", headers("Content-Type", "application/cloudevents+json", "Content-Encoding", "gzip"), compressed("gzip", structured), payload.Payload{
			Body:       map[string]any{"n": int64(3)},
			CloudEvent: attributes(map[string]any{"subject": "u", "time": "2026-11-23T11:00:00.5Z", "traceid": "x", "datacontenttype": "application/json"}),
		}, nil},
		{"bad escape", headers("Content-Type", "application/x-www-form-urlencoded"), "%zz", payload.Payload{}, payload.ErrMalformed},
		{"wide", headers(), "[" + strings.Repeat("1,", payload.MaxValues) + "1]", payload.Payload{}, payload.ErrTooLarge},
		{"deep", headers(), strings.Repeat("[", payload.MaxDepth+1) + strings.Repeat("]", payload.MaxDepth+1), payload.Payload{}, payload.ErrTooLarge},
		{"not deep", headers(), `"` + strings.Repeat("[", 1000) + `\"[["`, payload.Payload{Body: strings.Repeat("[", 1000) + `"[[`}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := payload.Parse(t.Context(), tc.header, []byte(tc.body), 1<<20)
			if !errors.Is(err, tc.err) {
				t.Fatalf("error %v, want %v", err, tc.err)
			}
			if diff := cmp.Diff([]payload.Payload{tc.want}, got); diff != "" && err == nil {
				t.Error(diff)
			}
		})
	}
}

// TestParse_Batch: the CloudEvents of a batch are decoded each, or none of them is. The
// format is that of
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md#4-json-batch-format.
func TestParse_Batch(t *testing.T) {
	one := func(id string) string {
		return `{"specversion":"1.0","id":"` + id + `","source":"/s","type":"t","data":{"n":` + id + `}}`
	}
	many := "[" + strings.Repeat(one("1")+",", payload.MaxBatch) + one("1") + "]"
	for name, tc := range map[string]struct {
		body string
		want []any
		err  error
	}{
		"two":        {"[" + one("1") + "," + one("2") + "]", []any{map[string]any{"n": int64(1)}, map[string]any{"n": int64(2)}}, nil},
		"none":       {"[]", nil, nil},
		"one is bad": {"[" + one("1") + `,{"specversion":"1.0","source":"/s","type":"t"}]`, nil, payload.ErrMalformed},
		"no list":    {one("1"), nil, payload.ErrMalformed},
		"a number":   {"[1]", nil, payload.ErrMalformed},
		"too many":   {many, nil, payload.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := payload.Parse(t.Context(), headers("Content-Type", "application/cloudevents-batch+json; charset=utf-8"), []byte(tc.body), 1<<20)
			if !errors.Is(err, tc.err) {
				t.Fatalf("error %v, want %v", err, tc.err)
			}
			var bodies []any
			for _, p := range got {
				bodies = append(bodies, p.Body)
			}
			if diff := cmp.Diff(tc.want, bodies); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// FuzzParse checks that a decoded body has only the documented types, is within the
// limits, and is equal after encoding and decoding it again.
func FuzzParse(f *testing.F) {
	for _, seed := range []struct{ kind, version, body string }{
		{"application/json", "", `{"a":[1,2.5,"x",null,true,9223372036854775808,1e400]}`},
		{"application/x-www-form-urlencoded", "", "a=1&b=%ff&b"},
		{"application/cloudevents+json", "", structured},
		{"application/cloudevents-batch+json", "", "[" + structured + "," + structured + "]"},
		{"application/cloudevents+json", "", `{"specversion":"1.0","id":"1","source":"/s","type":"t","data_base64":"//8="}`},
		{"text/plain", "1.0", "\xff"},
		{"", "0.3", "{}"},
	} {
		f.Add(seed.kind, seed.version, []byte(seed.body))
	}
	f.Fuzz(func(t *testing.T, kind, version string, body []byte) {
		h := http.Header{"Content-Type": {kind}}
		if version != "" {
			h = http.Header{"Content-Type": {kind}, "Ce-Specversion": {version}, "Ce-Id": {"1"}, "Ce-Source": {"/s"}, "Ce-Type": {"t"}}
		}
		got, err := payload.Parse(t.Context(), h, body, 1<<20)
		if err != nil {
			if !errors.Is(err, payload.ErrMalformed) && !errors.Is(err, payload.ErrUnsupported) && !errors.Is(err, payload.ErrTooLarge) {
				t.Fatalf("unknown error: %v", err)
			}
			return
		}
		for _, p := range got {
			if n := count(t, p.Body); n > 2*payload.MaxValues {
				t.Errorf("%d values", n)
			}
			if p.CloudEvent != nil {
				count(t, p.CloudEvent)
			}
			text, err := json.Marshal(p.Body)
			if err != nil {
				t.Fatal(err)
			}
			again, err := payload.Parse(t.Context(), http.Header{}, text, 1<<20)
			if errors.Is(err, payload.ErrTooLarge) {
				continue
			}
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if same, err := json.Marshal(again[0].Body); err != nil || string(same) != string(text) { // 0.0 becomes 0
				t.Errorf("%s became %s, %v", text, same, err)
			}
		}
	})
}

// count counts the values and checks their types.
func count(t *testing.T, value any) int {
	n := 1
	switch v := value.(type) {
	case nil, bool, int64, json.Number:
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			t.Errorf("%v", v)
		}
	case string:
		if !utf8.ValidString(v) {
			t.Errorf("%q", v)
		}
	case []any:
		for _, e := range v {
			n += count(t, e)
		}
	case map[string]any:
		for _, e := range v {
			n += count(t, e)
		}
	default:
		t.Errorf("a %T", v)
	}
	return n
}
