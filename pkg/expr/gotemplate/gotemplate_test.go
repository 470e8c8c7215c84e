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
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"text/template"
	"time"

	"github.com/kubevela/kube-trigger/pkg/expr/gotemplate"
)

func data() map[string]any {
	large := make([]any, 1000)
	for i := range large {
		large[i] = int64(i)
	}
	return map[string]any{
		"name": "web", "n": int64(3), "f": 1.5, "none": nil, "list": []any{"a", int64(1), nil},
		"map": map[string]any{"b": "2", "a": "<1>"}, "text": strings.Repeat("x", 1<<20), "large": large,
	}
}

func execute(t *testing.T, source string) (string, error) {
	t.Helper()
	out, err := render(t, source, gotemplate.Plain)
	return out.Text, err
}

func render(t *testing.T, source string, place gotemplate.Place) (gotemplate.Output, error) {
	t.Helper()
	parsed, err := gotemplate.Parse(source, place)
	if err != nil {
		t.Fatal(err)
	}
	parsed.SetClock(func() time.Time { return time.Time{} })
	return parsed.Execute(data())
}

// TestTemplate_SameOutput executes templates within the limits as text/template does.
func TestTemplate_SameOutput(t *testing.T) {
	for _, source := range []string{
		"plain", "", "{{.name}} has {{.n}}", "{{range $.large}}<{{.}}>{{else}}none{{end}}",
		"{{range $k, $v := .map}}{{$k}}={{$v}};{{end}}", "{{with .map}}{{.a}}{{else}}none{{end}}", "{{with .missing}}{{.a}}{{else}}none{{end}}",
		`{{define "x"}}[{{.}}]{{end}}{{template "x" .name}}{{template "x" .n}}`, `{{block "y" .map}}{{.b}}{{end}}`,
		`{{define "r"}}{{if gt (len .) 1}}{{index . 0}}{{template "r" slice . 1}}{{end}}{{end}}{{template "r" .large | len | printf "%.0d" | slice "abc"}}`,
		"{{range 5}}{{if eq . 3}}{{break}}{{end}}{{if eq . 1}}{{continue}}{{end}}{{.}}{{end}}", "{{- .name -}}  x {{/* comment */}}",
		`{{printf "%s %5d %-5d| %05.1f %q %x %v %[1]s" .name .n .n .f .name .name .map}}`, `{{printf "%d" .name}} {{printf "%s"}} {{printf "x" .n}}`,
		"{{html .map.a}} {{js .map.a}} {{urlquery .map.a .n}} {{print .list}} {{println .map}}", `{{printf "%.20s" .text}} {{len .text}}`,
		`{{printf "%*d" .n .n}}`, "{{and .name .n}} {{or .none .name}} {{not .n}} {{eq .n 3}} {{slice .name 1}} {{index .list 0}}",
		"{{range .large}}{{.}}{{end}}", `{{$x := "a"}}{{range 3}}{{$x = printf "%s%s" $x $x}}{{end}}{{$x}}`,
		"{{if .none}}a{{else if .name}}b{{else}}c{{end}}", `{{.name | printf "%s!" | html}}`, strings.Repeat("{{.n}}", 500),
		`{{template "none"}}`, "{{printf .n}}", "{{index (len .name) 1}}", `{{index "abc" 1}}`, "{{len (len .name)}}",
		`{{$x := print "%s!"}}{{printf $x .name}} {{printf (html "%d") .n}}`, `{{index (print "abc") 1}} {{slice (js "abc") 1}}`,
		`{{if html ""}}a{{else}}b{{end}}{{if print ""}}a{{else}}b{{end}}{{with js "x"}}{{.}}{{end}}`, "{{slice .name 0 .f}}",
	} {
		var want strings.Builder
		wantErr := template.Must(template.New("it").Parse(source)).Execute(&want, data())
		got, err := execute(t, source)
		if wantErr != nil || err != nil {
			if wantErr == nil || err == nil {
				t.Errorf("%s: got error %v, want %v", source, err, wantErr)
			}
		} else if got != want.String() {
			t.Errorf("%s: got %.200q, want %.200q", source, got, want.String())
		}
	}
}

func TestTemplate_Limits(t *testing.T) {
	for limit, sources := range map[string][]string{
		"steps": {
			"{{range 100000000000}}{{end}}", "{{range 100000000000}}{{continue}}{{end}}", "{{range 1000}}{{range 1000}}{{if false}}{{end}}{{end}}{{end}}",
			`{{define "x"}}{{range 1000}}{{end}}{{end}}{{range 1000}}{{template "x"}}{{end}}`, "{{with 1}}{{range 1000000}}{{end}}{{end}}",
			"{{if false}}{{else}}{{range 1000000}}{{end}}{{end}}", "{{range .none}}{{else}}{{range 1000000}}{{end}}{{end}}",
			"{{range 2000}}" + strings.Repeat("{{$x := 1}}", 100) + "{{end}}",
		},
		"templates": {`{{define "x"}}{{template "x"}}{{end}}{{template "x"}}`, `{{define "x"}}{{template "y"}}{{end}}{{define "y"}}{{with 1}}{{template "x"}}{{end}}{{end}}{{template "x"}}`},
		"of output": {
			"{{range 10000}}" + strings.Repeat("0123456789", 20) + "{{end}}", "{{.text}}{{.text}}", "{{.text}}{{.map}}",
			strings.Repeat("x", 1<<20) + "{{.n}}", `{{printf "%1000000d" 1}}{{printf "%1000000d" 1}}`,
		},
		"text": {
			`{{$x := "x"}}{{range 100}}{{$x = printf "%s%s" $x $x}}{{end}}`, `{{$x := "x"}}{{range 100}}{{$x = print $x $x}}{{end}}`,
			`{{$x := "<"}}{{range 100}}{{$x = html $x $x}}{{end}}`, `{{$x := "<"}}{{range 100}}{{$x = js $x}}{{end}}`,
			`{{$x := "<"}}{{range 100}}{{$x = urlquery $x $x}}{{end}}`, `{{$x := "<"}}{{range 100}}{{$x = println $x $x}}{{end}}`,
			`{{len (printf "%1000000d" .large)}}`, `{{len (printf "%.1000000f" .large)}}`, `{{len (printf "%*d" 1000000 .large)}}`,
			`{{len (printf "%[1]s%[1]s%[1]s%[1]s%[1]s" .text)}}`, `{{len (printf "%x" .text)}}`,
			`{{range 1000}}{{$x := printf "%100000d" 1}}{{end}}`,
		},
	} {
		for _, source := range sources {
			_, err := execute(t, source)
			if exceeded := (*gotemplate.LimitError)(nil); !errors.As(err, &exceeded) || !strings.Contains(err.Error(), limit) {
				t.Errorf("%.60s: got %v, want the limit of %s", source, err, limit)
			}
		}
	}
}

// TestTemplate_Time stops steps, functions and output after the time is up, but no
// template of few steps.
func TestTemplate_Time(t *testing.T) {
	for source, limited := range map[string]bool{
		"{{range 20000}}{{end}}":                                    true,
		strings.Repeat("{{.n}}", 300):                               true,
		`{{range 150}}{{$x := print 1}}{{end}}`:                     true,
		"{{range 20}}{{.}} {{$.name}}{{end}}":                       false,
		`{{range .list}}{{printf "%v" .}}{{end}}{{html .map.a .n}}`: false,
	} {
		parsed, err := gotemplate.Parse(source, gotemplate.Plain)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Time{}
		parsed.SetClock(func() time.Time {
			now = now.Add(gotemplate.MaxDuration)
			return now
		})
		_, err = parsed.Execute(data())
		exceeded := (*gotemplate.LimitError)(nil)
		if got := errors.As(err, &exceeded) && strings.Contains(err.Error(), "longer than 1s"); got != limited || !limited && err != nil {
			t.Errorf("%.40s: got %v, limited %t", source, err, limited)
		}
	}
}

// TestTemplate_Reuse executes a template again after a limit, concurrently.
func TestTemplate_Reuse(t *testing.T) {
	parsed, err := gotemplate.Parse(`{{define "x"}}{{if .loop}}{{template "x" .}}{{end}}{{end}}{{template "x" .}}{{.name}}`, gotemplate.Plain)
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	for i := range 8 {
		running.Go(func() {
			for range 50 {
				if _, err := parsed.Execute(map[string]any{"loop": true}); err == nil {
					t.Error("got no error of an endless recursion")
				}
				name := strings.Repeat("a", i)
				if got, err := parsed.Execute(map[string]any{"name": name}); got.Text != name || err != nil {
					t.Errorf("got %q, %v, want %q", got, err, name)
				}
			}
		})
	}
	running.Wait()
}

func TestParse_Invalid(t *testing.T) {
	for source, want := range map[string]string{
		"{{step -1000000}}": `function "step" not defined`, "{{leave}}": `function "leave" not defined`,
		"{{enter}}": `function "enter" not defined`, "{{.x": "unclosed action", "{{upper .x}}": `function "upper" not defined`,
	} {
		if _, err := gotemplate.Parse(source, gotemplate.Plain); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", source, err, want)
		}
	}
}

// FuzzTemplate_Execute never exceeds a limit, and fails only where text/template does.
func FuzzTemplate_Execute(f *testing.F) {
	for _, seed := range []string{
		"{{range 100000000000}}x{{end}}", `{{define "x"}}{{template "x" .}}{{end}}{{template "x"}}`, `{{$x := .name}}{{range 99}}{{$x = printf "%s%[1]s" $x}}{{end}}`,
		`{{printf "%*.*f" 100000 100000 .f}}`, "{{range $i, $v := .large}}{{println $i $v | html | js | urlquery}}{{else}}{{break}}{{end}}",
		"{{with .map}}{{block \"b\" .}}{{.a}}{{end}}{{end}}", `{{printf "%#+v %U %q" .map .list .name}}`, "{{index .list 1}}{{slice .name 1 2}}{{call .name}}",
		`{{$x := print "%s"}}{{printf $x .name}}{{index (html $x) 0}}{{len (js $x)}}`, "{{slice .large .n}}{{index .large .f}}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		parsed, err := gotemplate.Parse(source, gotemplate.Plain)
		if err != nil {
			return
		}
		got, err := parsed.Execute(data())
		if len(got.Text) > gotemplate.MaxOutput {
			t.Fatalf("%d bytes of output", len(got.Text))
		}
		if exceeded := (*gotemplate.LimitError)(nil); errors.As(err, &exceeded) || err == nil || strings.Contains(source, "template") {
			return // the original may not end
		}
		original, wantErr := template.New("it").Parse(source)
		if wantErr == nil && original.Execute(io.Discard, data()) == nil {
			t.Errorf("got %v", err)
		}
	})
}
