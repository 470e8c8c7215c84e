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
	"reflect"
	"strings"
)

// Upper bounds of the bytes that formatting adds.
const (
	// scalarSize is that of a number, a boolean, a nil or the separators of an element,
	// with the type that a wrong verb prints.
	scalarSize = 64
	// fixedSize is that of a number with the verb f, which prints all digits.
	fixedSize = 320
	// quotedFactor is that of a byte that is quoted, escaped or printed in hexadecimal.
	quotedFactor = 10
	// maxWidth is the largest width and precision that fmt accepts.
	maxWidth = 1_000_000
)

// build returns the text of build, whose size is at most size, unless a limit is
// exceeded.
func (e *execution) build(size int, build func() string) (string, error) {
	if err := e.checkTime(); err != nil {
		return "", err
	}
	if size > MaxText {
		return "", e.stop("a function may build more than %d KiB of text", MaxText>>10)
	}
	text := build()
	if e.text += len(text); e.text > MaxText {
		return "", e.stop("functions build more than %d KiB of text", MaxText>>10)
	}
	return text, nil
}

// measureAll returns the number of values in args, at any depth, and the bytes of their
// strings. It stops once they exceed MaxText.
func measureAll(args []any) (scalars, bytes int) {
	m := measurer{}
	for _, a := range args {
		m.add(reflect.ValueOf(a))
	}
	return m.scalars, m.bytes
}

type measurer struct{ scalars, bytes int }

func (m *measurer) add(v reflect.Value) {
	if m.scalars++; m.scalars+m.bytes > MaxText {
		return
	}
	switch v.Kind() {
	case reflect.String:
		m.bytes += v.Len()
	case reflect.Interface, reflect.Pointer:
		if !v.IsNil() {
			m.add(v.Elem())
		}
	case reflect.Struct: // escaped
		m.add(v.Field(0))
	case reflect.Slice, reflect.Array:
		for i := 0; i < v.Len() && m.scalars+m.bytes <= MaxText; i++ {
			m.add(v.Index(i))
		}
	case reflect.Map:
		for it := v.MapRange(); m.scalars+m.bytes <= MaxText && it.Next(); {
			m.add(it.Key())
			m.add(it.Value())
		}
	}
}

// printfSize returns an upper bound of the size of fmt.Sprintf(format, args...).
func printfSize(format string, args []any) int {
	verbs, width, element, factor, repeats := 0, 0, scalarSize, 1, 1
	for rest := format; ; {
		_, after, ok := strings.Cut(rest, "%")
		if !ok {
			break
		}
		v := scanVerb(after)
		rest = after[v.length:]
		verbs++
		width = max(width, v.width)
		if v.star {
			width = max(width, largest(args))
		}
		if strings.ContainsRune("feEgGF", v.verb) {
			element = max(element, fixedSize)
		}
		if v.quotes {
			factor = quotedFactor
		}
		if v.indexed {
			repeats = strings.Count(format, "%")
		}
	}
	scalars, bytes := measureAll(args)
	// Width and precision add up.
	return len(format) + verbs*scalarSize + repeats*(scalars*(element+2*width)+bytes*factor)
}

// verb is what follows a % in a format.
type verb struct {
	length int
	verb   rune
	// width is the larger one of width and precision.
	width                 int
	star, indexed, quotes bool
}

func scanVerb(s string) verb {
	var v verb
	number := 0
	for i, r := range s {
		v.length = i + len(string(r))
		switch {
		case r >= '0' && r <= '9':
			number = min(number*10+int(r-'0'), maxWidth)
			v.width = max(v.width, number)
			continue
		case r == '*':
			v.star = true
		case r == '[':
			v.indexed = true
		case r == '#', r == '+':
			v.quotes = true
		case strings.ContainsRune("-. ]", r):
		default:
			v.verb = r
			v.quotes = v.quotes || !strings.ContainsRune("svdteEfFgGT%", r)
			return v
		}
		number = 0
	}
	return v
}

// largest returns the largest width among args, which * may refer to.
func largest(args []any) int {
	width := 0
	for _, a := range args {
		if v := reflect.ValueOf(a); v.CanInt() {
			width = max(width, int(min(max(v.Int(), -v.Int()), maxWidth)))
		} else if v.CanUint() {
			width = max(width, int(min(v.Uint(), maxWidth)))
		}
	}
	return width
}
