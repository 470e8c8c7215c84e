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

package gotemplate

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"unicode/utf8"

	"github.com/kubevela/kube-trigger/pkg/expr/measure"
)

// functionError is an error of a function. It holds no values of the data.
type functionError string

func (e functionError) Error() string { return string(e) }

// Reason returns why an execution failed with err, without values of the data; "" if
// the reason may hold some.
func Reason(err error) string {
	var f functionError
	if errors.As(err, &f) {
		return string(f)
	}
	for _, known := range []string{"wrong number of args for ", "wrong type for value; expected ", "invalid value; expected "} {
		if _, rest, ok := strings.Cut(err.Error(), ">: "+known); ok {
			return known + rest
		}
	}
	return ""
}

// SourceText returns the part of a template that an error quotes as the user wrote it:
// with .a.b for a field.
func SourceText(part string) string {
	return regexp.MustCompile(`\(field (\.|\$\w*)((?: "[^"]*")+)\)`).ReplaceAllStringFunc(part, func(call string) string {
		words := strings.Fields(strings.Trim(call, "()"))
		text := strings.TrimSuffix(words[1], ".")
		for _, name := range words[2:] {
			text += "." + strings.Trim(name, `"`)
		}
		return text
	})
}

// functions returns the functions of templates, which replace those of text/template
// where these fail for absent values.
func (e *execution) functions() template.FuncMap {
	all := template.FuncMap{
		"json": e.json, "toJson": e.json, "raw": e.escaper(rawForm, func(text string) string { return text }),
		"html": e.escaper(htmlForm, escapeHTML), "slack": e.escaper(slackForm, escapeSlack),
		"urlquery": e.escaper(urlForm, escapeQuery), "urlpath": e.escaper(urlForm, escapePath),
		"markdown": e.escaper(markdownForm, state{}.markdown), "shell": e.escaper(shellForm, escapeShell),
		"js": e.js, "default": defaultValue,
		"object": func() string { return object(e.data) }, "title": func() string { return title(e.data) },
		"summary": func() string { return summary(e.data) },
		"index":   index, "slice": slice, "len": length, "eq": equal,
		"ne": func(a, b any) bool { return !isEqual(a, b) },
		"lt": func(a, b any) bool { return order(a, b, func(n int) bool { return n < 0 }) },
		"le": func(a, b any) bool { return order(a, b, func(n int) bool { return n <= 0 }) },
		"gt": func(a, b any) bool { return order(a, b, func(n int) bool { return n > 0 }) },
		"ge": func(a, b any) bool { return order(a, b, func(n int) bool { return n >= 0 }) },
	}
	for name, f := range e.textFunctions() {
		all[name] = f
	}
	for _, f := range measure.Functions() {
		value := f.Func()
		all[string(f)] = func(v any) any { return value(plainValue(v)) }
	}
	return all
}

// escapePath escapes text as a segment of a URL's path.
func escapePath(text string) string { return state{part: urlPath}.url(text) }

// escaper returns a function that escapes the texts of its arguments.
func (e *execution) escaper(f form, escape func(string) string) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		scalars, bytes := measureAll(args)
		text, err := e.build(scalars*scalarSize+bytes*quotedFactor, func() string {
			var texts []string
			for _, a := range args {
				texts = append(texts, textOf(a))
			}
			return escape(strings.Join(texts, ""))
		})
		if text == "" {
			return "", err // which is false
		}
		return escaped{text, f}, err
	}
}

// json returns v as JSON.
func (e *execution) json(v any) (escaped, error) {
	scalars, bytes := measureAll([]any{v})
	var failed error
	text, err := e.build(scalars*scalarSize+bytes*quotedFactor, func() string {
		text, err := jsonText(v)
		failed = err
		return text
	})
	if failed != nil {
		err = functionError("the value is not JSON")
	}
	return escaped{text, jsonForm}, err
}

// js escapes text for a string in JavaScript. In JSON, it is the content of a string.
func (e *execution) js(args ...any) (any, error) {
	if e.out.place == JSON {
		return e.escaper(stringForm, stringContent)(args...)
	}
	return e.escaper(shellForm, template.JSEscapeString)(args...)
}

// print functions build texts. Absent values are empty.
func (e *execution) textFunctions() template.FuncMap {
	bounded := func(build func(args ...any) string) func(args ...any) (formatted, error) {
		return func(args ...any) (formatted, error) {
			scalars, bytes := measureAll(args)
			text, err := e.build(scalars*scalarSize+bytes, func() string { return build(arguments(args)...) })
			return formatted(text), err
		}
	}
	return template.FuncMap{
		"print":   bounded(fmt.Sprint),
		"println": bounded(fmt.Sprintln),
		"printf": func(f any, args ...any) (any, error) {
			format, isText := plainValue(f).(string)
			if !isText {
				return nil, functionError("the format of printf is not a text")
			}
			if format == "%q" && len(args) == 1 && e.out.place == JSON {
				return e.json(textOf(args[0]))
			}
			text, err := e.build(printfSize(format, args), func() string { return fmt.Sprintf(format, printable(format, args)...) })
			return formatted(text), err
		},
	}
}

// absent is an absent value in the arguments of printf. It is empty for each verb.
type absent struct{}

// Format implements fmt.Formatter.
func (absent) Format(fmt.State, rune) {}

// textOf returns v as text: nothing if it is absent, numbers with all digits, objects
// and lists as JSON.
func textOf(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case escaped:
		return v.text
	case formatted:
		return string(v)
	case float64:
		if math.Abs(v) < 1e21 {
			return strconv.FormatFloat(v, 'f', -1, 64)
		}
	case map[string]any, []any:
		if text, err := jsonText(v); err == nil {
			return text
		}
	}
	return fmt.Sprint(v)
}

// plainValue returns v without the types of this package.
func plainValue(v any) any {
	switch v := v.(type) {
	case escaped:
		return v.text
	case formatted:
		return string(v)
	}
	return v
}

// field returns the field of v at a path, and nil if it is absent.
func field(v any, path ...string) any {
	for _, name := range path {
		object, _ := v.(map[string]any)
		v = object[name]
	}
	return v
}

// elements returns what range with a number of variables loops over: lists, objects and,
// with one variable, whole numbers. Of other kinds it loops over nothing, as over an absent
// value.
func elements(variables int, v any) any {
	switch v.(type) {
	case []any, map[string]any:
		return v
	case int, int64:
		if variables < 2 {
			return v
		}
	}
	return nil
}

// index returns the element of v at keys, and nil if it is absent. A number or boolean of
// the event has none.
func index(v any, keys ...any) (any, error) {
	for _, key := range keys {
		switch container := plainValue(v).(type) {
		case map[string]any:
			v = container[textOf(key)]
		case []any:
			i, ok := integer(key)
			if v = nil; ok && i >= 0 && i < len(container) {
				v = container[i]
			}
		case string:
			i, ok := integer(key)
			if v = nil; ok && i >= 0 && i < len(container) {
				v = container[i]
			}
		case nil, bool, int64, float64, json.Number:
			return nil, nil
		default:
			return nil, functionError("the value is neither an object nor a list")
		}
	}
	return v, nil
}

// slice returns a part of a list or a text, without what is out of range. It separates
// no characters.
func slice(v any, indexes ...any) (any, error) {
	list, isList := v.([]any)
	text := textOf(v)
	n := len(text)
	if isList {
		n = len(list)
	}
	start, end := 0, n
	for i, index := range indexes {
		at, ok := integer(index)
		switch {
		case !ok:
			return nil, functionError("an index of slice is not a whole number")
		case i == 0:
			start = min(max(at, 0), n)
		case i == 1:
			end = min(max(at, start), n)
		}
	}
	switch v.(type) {
	case nil, bool, int64, float64, json.Number:
		return nil, nil
	case []any:
		return list[start:end], nil
	case string, escaped, formatted:
		for start < end && !utf8.RuneStart(text[start]) {
			start++
		}
		for end > start && end < n && !utf8.RuneStart(text[end]) {
			end--
		}
		return text[start:end], nil
	}
	return nil, functionError("the value is neither a list nor a text")
}

// length returns the number of elements or bytes of v; 0 if it is absent. That of a number
// or boolean of the event is absent.
func length(v any) (any, error) {
	switch v := v.(type) {
	case bool, int64, float64, json.Number:
		return nil, nil
	case nil:
		return 0, nil
	case map[string]any:
		return len(v), nil
	case []any:
		return len(v), nil
	case string, escaped, formatted:
		return len(textOf(v)), nil
	}
	return 0, functionError("the value has no length")
}

// defaultValue returns value, and fallback if it is absent or empty.
func defaultValue(fallback any, value ...any) any {
	if len(value) == 0 || value[0] == nil || plainValue(value[0]) == "" {
		return fallback
	}
	return value[0]
}

// equal reports whether v equals one of others. Values of different kinds do not.
func equal(v any, others ...any) (bool, error) {
	if len(others) == 0 {
		return false, functionError("needs two values")
	}
	for _, o := range others {
		if isEqual(v, o) {
			return true, nil
		}
	}
	return false, nil
}

func isEqual(a, b any) bool {
	if x, ok := number(a); ok {
		y, ok := number(b)
		return ok && x.Cmp(y) == 0
	}
	return reflect.DeepEqual(plainValue(a), plainValue(b))
}

// order reports whether the order of two numbers or two texts satisfies want. Values of
// different kinds have none.
func order(a, b any, want func(int) bool) bool {
	if x, ok := number(a); ok {
		y, ok := number(b)
		return ok && want(x.Cmp(y))
	}
	x, isText := plainValue(a).(string)
	y, alsoText := plainValue(b).(string)
	return isText && alsoText && want(strings.Compare(x, y))
}

// number returns the value of a number.
func number(v any) (*big.Float, bool) {
	if n, ok := v.(json.Number); ok {
		return new(big.Float).SetPrec(uint(max(64, 4*min(len(n), maxDigits)))).SetString(string(n))
	}
	switch r := reflect.ValueOf(v); {
	case r.CanInt():
		return new(big.Float).SetInt64(r.Int()), true
	case r.CanUint():
		return new(big.Float).SetUint64(r.Uint()), true
	case r.CanFloat():
		return big.NewFloat(r.Float()), true
	}
	return nil, false
}

func integer(v any) (int, bool) {
	n, ok := number(v)
	if !ok || !n.IsInt() {
		return 0, false
	}
	i, _ := n.Int64()
	return int(i), true
}

// object describes the event's object, or its source if it has no object.
func object(context map[string]any) string {
	kind, name, namespace := textOf(field(context, "data", "kind")), textOf(field(context, "data", "metadata", "name")), textOf(field(context, "data", "metadata", "namespace"))
	switch {
	case kind == "" || name == "":
		return textOf(context["sourceType"])
	case namespace == "":
		return kind + " " + name
	}
	return kind + " " + namespace + "/" + name
}

// title says what happened to the event's object.
func title(context map[string]any) string {
	happened := map[string]string{"create": "was created", "update": "was changed", "delete": "was deleted", "": "fired"}
	kind := textOf(field(context, "event", "type"))
	if text, ok := happened[kind]; ok {
		return object(context) + " " + text
	}
	return fmt.Sprintf("%s (%s)", object(context), kind)
}

// summary is the title, and which trigger tells it when.
func summary(context map[string]any) string {
	trigger := textOf(field(context, "trigger", "name"))
	if namespace := textOf(field(context, "trigger", "namespace")); namespace != "" {
		trigger = namespace + "/" + trigger
	}
	return fmt.Sprintf("%s\nTrigger %s, %s", title(context), trigger, textOf(context["timestamp"]))
}
