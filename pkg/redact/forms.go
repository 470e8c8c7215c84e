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

package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"strconv"
	"strings"
)

// form is a text in which a value may occur.
type form struct {
	text string
	// whole is set if parts of the text are no secret.
	whole bool
}

// forms returns the forms of value, without duplicates of value itself.
func forms(value string) []form {
	parts := []string{value}
	var all []form
	if u, err := url.Parse(value); err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") {
		// The host occurs in the errors of all requests.
		all = append(all, form{text: value, whole: true})
		parts = urlParts(u)
	}
	for _, part := range parts {
		all = append(all, form{text: part})
		for _, text := range encodings(part) {
			if text != part {
				all = append(all, form{text: text})
			}
		}
	}
	return all
}

// wholeForms returns the forms of a text whose parts are no secrets.
func wholeForms(text string) []form {
	all := []form{{text: text, whole: true}}
	for _, e := range encodings(text) {
		all = append(all, form{text: e, whole: true})
	}
	return all
}

// manifestForms returns the forms of a text that is replaced as a whole.
func manifestForms(text string) []form {
	all := []form{{text: text, whole: true}}
	if quoted, err := json.Marshal(text); err == nil {
		all = append(all, form{text: string(quoted[1 : len(quoted)-1]), whole: true})
	}
	return all
}

// urlParts returns the parts of a URL that may be secrets.
func urlParts(u *url.URL) []string {
	parts := []string{u.RequestURI(), u.EscapedPath(), u.Path, u.RawQuery, u.Fragment}
	for _, values := range u.Query() {
		parts = append(parts, longParts(values)...)
	}
	parts = append(parts, longParts(strings.Split(u.Path, "/"))...)
	if u.User != nil {
		password, _ := u.User.Password()
		parts = append(parts, password, u.User.String())
	}
	return parts
}

// longParts returns the parts that may be tokens. Shorter ones are words such as "hook".
func longParts(parts []string) []string {
	var long []string
	for _, p := range parts {
		if len(p) >= windowLength {
			long = append(long, p)
		}
	}
	return long
}

// encodings returns value as it occurs encoded. The texts may be empty.
func encodings(value string) []string {
	quoted := strconv.Quote(value)
	hexadecimal := hex.EncodeToString([]byte(value))
	query, path := url.QueryEscape(value), url.PathEscape(value)
	escaped := html.EscapeString(value)
	ascii := strconv.QuoteToASCII(value)
	all := []string{
		strings.TrimSpace(value), quoted[1 : len(quoted)-1], strings.Trim(quoted, `"`),
		query, path, lowerEscapes(query), lowerEscapes(path), percent(hexadecimal), percent(strings.ToUpper(hexadecimal)),
		escaped, strings.NewReplacer("&#34;", "&quot;", "&#39;", "&apos;").Replace(escaped),
		hexadecimal, strings.ToUpper(hexadecimal), ascii[1 : len(ascii)-1],
	}
	for _, escapeHTML := range []bool{false, true} {
		var b strings.Builder
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(escapeHTML)
		if e.Encode(value) == nil {
			text := strings.TrimSuffix(b.String(), "\n")
			all = append(all, text[1:len(text)-1])
		}
	}
	all = append(all, twice(value)...)
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		all = append(all, encoding.EncodeToString([]byte(value)), encoding.WithPadding(base64.NoPadding).EncodeToString([]byte(value)))
		all = append(all, base64Parts(encoding, value)...)
	}
	return all
}

// twice returns value as it occurs encoded twice: in the JSON of a text that is JSON, such as
// an annotation, in the base64 of a Secret of base64, and in a URL within a URL.
func twice(value string) []string {
	encode := []func(string) string{
		func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) },
		url.QueryEscape,
		func(text string) string {
			quoted, err := json.Marshal(text)
			if err != nil {
				return text
			}
			return string(quoted[1 : len(quoted)-1])
		},
	}
	var all []string
	for _, first := range encode {
		once := first(value)
		for _, second := range encode {
			if text := second(once); text != once {
				all = append(all, text)
			}
		}
	}
	return all
}

// minBase64Part is the minimum length of the base64 of a part of a text. Shorter ones would
// match arbitrary text.
const minBase64Part = 4

// base64Parts returns the characters in which value occurs in the base64 of a longer text,
// one for each of its positions modulo 3. Characters that also depend on the rest of the
// text are left out.
func base64Parts(encoding *base64.Encoding, value string) []string {
	var all []string
	for offset := range 3 {
		text := encoding.WithPadding(base64.NoPadding).EncodeToString([]byte(strings.Repeat("\x00", offset) + value))
		if (offset+len(value))%3 != 0 {
			text = text[:len(text)-1]
		}
		if first := (offset*8 + 5) / 6; len(text)-first >= minBase64Part {
			all = append(all, text[first:])
		}
	}
	return all
}

// lowerEscapes returns text with its escapes for URLs in lower case, as in %2f.
func lowerEscapes(text string) string {
	b := []byte(text)
	for i := range b {
		if b[i] == '%' && i+2 < len(b) {
			copy(b[i+1:], bytes.ToLower(b[i+1:i+3]))
		}
	}
	return string(b)
}

// percent returns text, which is hexadecimal, with each byte escaped for URLs.
func percent(text string) string {
	var b strings.Builder
	for i := 0; i+2 <= len(text); i += 2 {
		b.WriteString("%" + text[i:i+2])
	}
	return b.String()
}
