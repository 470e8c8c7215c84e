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

package number_test

import (
	"encoding/json"
	"strings"
	"testing"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
	"github.com/google/go-cmp/cmp"

	"github.com/kubevela/kube-trigger/pkg/number"
)

// Numbers of public reports, each of which a float64 changes.
func reported() []string {
	return []string{
		"9007199254740993",     // argoproj/argo-workflows#3990, tidwall/gjson#74
		"-1001234567890123457", // the ID of a Telegram supergroup
		"1475864306469048424",  // openclaw/openclaw#27775
		"1497549923779084388",  // dylanneve1/talon#204
		"8838840643388017390",  // valyala/fastjson#15
		"9223372036854775807",  // alecthomas/kong#334
		"18446744073709551615", // influxdata/telegraf#9520: unsigned integers
		"18446744073709551616", // rakaly/jomini#57
		"-9223372036854775809",
		"123456789.123456789123",
		"-0.1234567890123456789012345678901234e5",
		"1e400",
		"1e-400",
	}
}

func TestUnmarshal_KeepsDigits(t *testing.T) {
	for _, text := range reported() {
		value, err := number.Unmarshal([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := json.Marshal(value); err != nil || string(got) != text {
			t.Errorf("%s: encoded as %s, %v", text, got, err)
		}
		ctx := cuecontext.New()
		data := ctx.Encode(number.Literals(map[string]any{"n": []any{value}}))
		equal, err := ctx.CompileString("n: [...]\nequal: n[0] == " + text).Unify(data).LookupPath(cue.ParsePath("equal")).Bool()
		if err != nil || !equal {
			t.Errorf("%s: in CUE it is %v, %v", text, data, err)
		}
	}
}

func TestUnmarshal_Kinds(t *testing.T) {
	got, err := number.UnmarshalObject([]byte(`{"a": 1, "b": 1.5, "c": [1e3, 3.0, 0.0, 0.1], "d": null, "e": {"f": "x", "g": true}, "h": 12345678901234567890}`))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"a": int64(1), "b": 1.5, "c": []any{1000.0, 3.0, 0.0, 0.1}, "d": nil,
		"e": map[string]any{"f": "x", "g": true}, "h": json.Number("12345678901234567890"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, text := range []string{"", "{", "1 2", "[1]]", "nul"} {
		if value, err := number.Unmarshal([]byte(text)); err == nil {
			t.Errorf("%q: got %v, want an error", text, value)
		}
	}
	if object, err := number.UnmarshalObject([]byte("null")); object != nil || err != nil {
		t.Errorf("null: got %v, %v", object, err)
	}
}

// TestUnmarshal_Limits: numbers that take minutes to compare or to print are refused
// (sirthias/borer#8, stleary/JSON-java#1063, FasterXML/jackson-databind#2141).
func TestUnmarshal_Limits(t *testing.T) {
	for text, refused := range map[string]bool{
		strings.Repeat("9", 1000):             false,
		strings.Repeat("9", 1001):             true,
		"0." + strings.Repeat("9", 1_000_000): true,
		"1e999":                               false, "1E+0999": false, "-1e-999": false,
		"1e1000": true, "1e-1000": true, "1E+1000000": true, "1e2147483648": true, "1e-100000000": true, "1e99999999999999999999": true,
	} {
		for _, data := range []string{text, "[" + text + "]", `{"a":{"b":` + text + "}}"} {
			if _, err := number.Unmarshal([]byte(data)); (err != nil) != refused || err != nil && (len(err.Error()) > 100 || !strings.Contains(err.Error(), text[:2])) {
				t.Errorf("%.30s: got %v", data, err)
			}
		}
	}
	if _, err := number.UnmarshalObject([]byte(`{"a":[1e1000]}`)); err == nil {
		t.Error("object: got no error")
	}
}
