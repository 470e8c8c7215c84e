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
	"html"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// form is what a function has escaped a text for.
type form int

const (
	rawForm form = iota + 1
	jsonForm
	// stringForm is the content of a JSON string.
	stringForm
	htmlForm
	slackForm
	urlForm
	markdownForm
	shellForm
)

// escaped is a text that a function has escaped.
type escaped struct {
	text string
	form form
}

// String implements fmt.Stringer.
func (e escaped) String() string { return e.text }

// formatted is a text that printf or print built, perhaps of numbers.
type formatted string

func escapeSlack(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}

func escapeHTML(text string) string { return html.EscapeString(text) }

func escapeQuery(text string) string { return url.QueryEscape(text) }

// escapeShell returns text as one word of a POSIX shell.
func escapeShell(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// oneLine replaces control characters by blanks.
func oneLine(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, text))
}

// escapeLark separates the < of a tag `<at …>`, which mentions users, from its name.
func escapeLark(text string) string {
	return strings.NewReplacer("<at", "<\u200bat", "<AT", "<\u200bAT", "<At", "<\u200bAt", "<aT", "<\u200baT").Replace(text)
}

// jsonText returns v as JSON. Characters of HTML are kept.
func jsonText(v any) (string, error) {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(plainValue(v))
	return strings.TrimSuffix(b.String(), "\n"), err
}

// stringContent returns text as the content of a JSON string.
func stringContent(text string) string {
	quoted, _ := jsonText(text) // a string has no error
	return quoted[1 : len(quoted)-1]
}

// state is what the output before a value tells about the value's surroundings.
type state struct {
	// inString is set within a JSON string, and backslash after a \ in it or in Markdown.
	inString, backslash bool
	// fence is set within a block of code, and code within code on a line; ticks counts
	// the ` before the value.
	fence, code bool
	ticks       int
	// lineStart is set at the start of a line.
	lineStart bool
	// part is the part of a URL, and slashes counts those after its scheme.
	part    urlPart
	slashes int
}

type urlPart int

const (
	urlStart urlPart = iota
	urlScheme
	urlHost
	urlPath
	urlQuery
)

// advance returns the state after text.
func (s state) advance(p Place, text string) state {
	switch p {
	case JSON:
		return s.advanceJSON(text)
	case URL:
		return s.advanceURL(text)
	case Discord, Teams, TeamsTitle, TelegramMarkdown, TelegramMarkdownV2:
		return s.advanceMarkdown(text)
	}
	return s
}

func (s state) advanceJSON(text string) state {
	for i := range len(text) {
		switch {
		case s.backslash:
			s.backslash = false
		case s.inString && text[i] == '\\':
			s.backslash = true
		case text[i] == '"':
			s.inString = !s.inString
		}
	}
	return s
}

func (s state) advanceURL(text string) state {
	for _, r := range text {
		switch {
		case r == '?' || r == '#':
			s.part = urlQuery
		case s.part == urlStart:
			s.part = urlScheme
			if r == '/' {
				s.part = urlPath
			}
		case s.part == urlScheme && r == '/':
			if s.slashes++; s.slashes == 2 {
				s.part = urlHost
			}
		case s.part == urlHost && r == '/':
			s.part = urlPath
		}
	}
	return s
}

func (s state) advanceMarkdown(text string) state {
	for _, r := range text {
		if r == '`' && !s.backslash {
			s.ticks++
			continue
		}
		s = s.endTicks()
		s.lineStart, s.backslash = r == '\n', r == '\\' && !s.backslash
	}
	return s
}

// endTicks ends a sequence of `.
func (s state) endTicks() state {
	switch {
	case s.ticks >= 3:
		s.fence, s.code = !s.fence, false
	case s.ticks > 0 && !s.fence:
		s.code = !s.code
	}
	s.ticks = 0
	return s
}

// url escapes a value of a URL.
func (s state) url(text string) string {
	switch s.part {
	case urlStart:
		return strings.ReplaceAll(oneLine(text), " ", "%20")
	case urlScheme, urlHost:
		return escapeBytes(text, ".-_:[]")
	case urlPath:
		return escapeBytes(text, ".-_~:@!$&'()*+,;=")
	}
	return escapeQuery(text)
}

// escapeBytes writes all bytes of text but letters, digits and those in kept as %XX.
func escapeBytes(text, kept string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(kept, c) >= 0 {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

// json escapes a text: the content of a string, or a string of its own.
func (s state) json(text string) string {
	if s.inString {
		return stringContent(text)
	}
	return `"` + stringContent(text) + `"`
}

// markdown escapes text for Discord and Adaptive Cards. Within code, where a backslash
// is shown, only ` is replaced by a character that looks alike.
func (s state) markdown(text string) string {
	s = s.endTicks()
	if s.fence || s.code {
		return strings.ReplaceAll(text, "`", "ˋ")
	}
	var b strings.Builder
	previous := '\n'
	if !s.lineStart {
		previous = ' '
	}
	link := false
	for i, r := range text {
		link = link && !unicode.IsSpace(r) && !strings.ContainsRune("<>()[]`*|\\", r) || isLink(text[i:])
		if needsBackslash(r, previous, text[i+max(utf8.RuneLen(r), 1):], link) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
		previous = r
	}
	return b.String()
}

func isLink(text string) bool {
	return strings.HasPrefix(text, "http://") || strings.HasPrefix(text, "https://")
}

// needsBackslash reports whether r is markup between previous and rest. A _ within a
// word is none, nor are the characters of a link that may be part of its address.
func needsBackslash(r, previous rune, rest string, link bool) bool {
	switch r {
	case '\\', '*', '`', '|', '[', ']', '<', '>':
		return true
	case '~', '#':
		return !link
	case '_':
		next, _ := utf8.DecodeRuneInString(rest)
		return !link && !(isWord(previous) && isWord(next))
	case '-', '+':
		return previous == '\n'
	}
	return false
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// telegram escapes the characters of special, and within code those of code.
func (s state) telegram(text, special string) string {
	s = s.endTicks()
	if s.fence || s.code {
		special = "`\\"
	}
	var b strings.Builder
	for _, r := range text {
		if strings.ContainsRune(special, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// wholeCharacters returns the largest index of text, at most end, at which no character
// is separated from those that combine with it, such as accents and parts of an emoji.
func wholeCharacters(text string, end int) int {
	const joiner = '\u200d'
	for i := end; i > 0 && i < len(text); {
		next, _ := utf8.DecodeRuneInString(text[i:])
		last, size := utf8.DecodeLastRuneInString(text[:i])
		if last != joiner && next != joiner && !unicode.Is(unicode.M, next) && !isModifier(next) {
			return i
		}
		i -= size
		if end-i > maxCharacter {
			return end
		}
	}
	return end
}

// maxCharacter is the size of the longest sequence of combined characters that is kept
// together, in bytes.
const maxCharacter = 64

// isModifier reports whether r is the skin tone of an emoji.
func isModifier(r rune) bool { return r >= 0x1F3FB && r <= 0x1F3FF }
