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
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Place is where the output of a template goes. It decides how values are escaped and
// how long the output may be. The text of the template itself is never escaped.
type Place string

// Places.
const (
	// Plain is text without markup.
	Plain Place = "plain"
	// Name is a name or namespace of Kubernetes. An empty output is an error if a value is
	// absent.
	Name Place = "name"
	// Label is the value of a label or annotation.
	Label Place = "label"
	// Recipient is an address or identifier of a recipient.
	Recipient Place = "recipient"
	// Header is one line of a header of HTTP or email.
	Header Place = "header"
	// URL is a URL. A value at its start is kept; later ones are escaped as a part of the
	// host, the path or the query. An empty output is an error if a value is absent.
	URL Place = "url"
	// JSON is a JSON document: values are the contents of strings within quotes, and
	// JSON values elsewhere.
	JSON Place = "json"
	// Form is application/x-www-form-urlencoded.
	Form Place = "form"
	// HTML is HTML or XML.
	HTML Place = "html"
	// Note is the message of a Kubernetes Event.
	Note Place = "note"

	// Slack is the text of a Slack message.
	Slack Place = "slack"
	// Discord is the content of a Discord message.
	Discord Place = "discord"
	// Teams is the text of an Adaptive Card in Microsoft Teams.
	Teams Place = "teams"
	// TeamsTitle is the text of the title of such a card.
	TeamsTitle Place = "teams-title"
	// WeCom, DingTalk and Lark are texts of these services.
	WeCom    Place = "wecom"
	DingTalk Place = "dingtalk"
	Lark     Place = "lark"
	// Telegram is a Telegram message without a parse mode; the others are those with one.
	Telegram           Place = "telegram"
	TelegramHTML       Place = "telegram HTML"
	TelegramMarkdown   Place = "telegram Markdown"
	TelegramMarkdownV2 Place = "telegram MarkdownV2"
)

// Places returns the places that the attribute `@text` of a property can name, except
// those that depend on other properties.
func Places() []Place {
	return []Place{Plain, Name, Label, Recipient, Header, URL, JSON, Form, HTML, Note, Slack, Discord, Teams, TeamsTitle, WeCom, DingTalk, Lark, Telegram}
}

// needsValue reports whether an output that is empty because a value is absent is an
// error: the action would use its default, and so another object or address.
func (p Place) needsValue() bool { return p == Name || p == URL }

// lengthUnit is a unit of length: the size of a character.
type lengthUnit func(r rune) int

func (m lengthUnit) size(text string) int {
	n := 0
	for _, r := range text {
		n += m(r)
	}
	return n
}

func runes(rune) int        { return 1 }
func utf16Units(r rune) int { return max(utf16.RuneLen(r), 1) }

func utf8Bytes(r rune) int {
	if n := utf8.RuneLen(r); n > 0 {
		return n
	}
	return utf8.RuneLen(utf8.RuneError)
}

// jsonBytes is the size of r in a JSON string as CUE encodes it: without escaping
// characters of HTML.
func jsonBytes(r rune) int {
	switch r {
	case '"', '\\', '\n', '\r', '\t':
		return 2
	case '\u2028', '\u2029':
		return 6
	}
	if r < ' ' {
		return 6
	}
	return utf8Bytes(r)
}

// cardBytes is jsonBytes in an Adaptive Card, in which line breaks are doubled.
func cardBytes(r rune) int {
	if r == '\n' {
		return 2 * jsonBytes(r)
	}
	return jsonBytes(r)
}

// limit returns the documented maximum length of the output; 0 for none.
func (p Place) limit() (limit int, unit lengthUnit) {
	switch p {
	case Note:
		// The note of an Event: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
		return 1024, utf8Bytes
	case Slack:
		// The text is cut after 40,000 characters: https://docs.slack.dev/reference/methods/chat.postMessage
		return 40000, runes
	case Discord:
		// content: https://discord.com/developers/docs/resources/webhook#execute-webhook
		return 2000, runes
	case Teams:
		// A message has at most 28 KB; the rest is for the card and its title:
		// https://learn.microsoft.com/en-us/microsoftteams/limits-specifications-teams#chat
		return 24 << 10, cardBytes
	case TeamsTitle:
		return 1 << 10, cardBytes
	case WeCom:
		// text.content: https://developer.work.weixin.qq.com/document/path/91770
		return 2048, utf8Bytes
	case DingTalk:
		// A body of more than 20,000 bytes is error 460101; the rest is for the other fields:
		// https://open.dingtalk.com/document/orgapp/custom-robots-send-group-messages
		return 18000, jsonBytes
	case Lark:
		// A body has at most 20 KB; the rest is for the other fields:
		// https://open.larksuite.com/document/client-docs/bot-v3/add-custom-bot
		return 19 << 10, jsonBytes
	case Telegram, TelegramHTML, TelegramMarkdown, TelegramMarkdownV2:
		// text, in UTF-16 code units: https://core.telegram.org/bots/api#sendmessage
		return 4096, utf16Units
	}
	return 0, nil
}

// escape returns text as a value of the place in the state s.
func (p Place) escape(text string, s state) string {
	switch p {
	case Name, Label, Recipient, Header:
		return oneLine(text)
	case URL:
		return s.url(text)
	case JSON:
		return s.json(text)
	case Form:
		return escapeQuery(text)
	case HTML, TelegramHTML:
		return escapeHTML(text)
	case Slack:
		return escapeSlack(text)
	case Discord, Teams, TeamsTitle:
		return s.markdown(text)
	case TelegramMarkdown:
		return s.telegram(text, "_*`[")
	case TelegramMarkdownV2:
		return s.telegram(text, "_*[]()~`>#+-=|{}.!\\")
	case Lark:
		return escapeLark(text)
	}
	return text
}

// accepts reports whether the text of a function that escapes for f is safe at p.
func (p Place) accepts(f form) bool {
	switch f {
	case rawForm:
		return true
	case jsonForm, stringForm:
		return p == JSON
	case htmlForm:
		return p == HTML || p == TelegramHTML || p == Slack
	case slackForm:
		return p == Slack
	case urlForm:
		return p == URL || p == Form
	case markdownForm:
		return p == Discord || p == Teams || p == TeamsTitle
	}
	return false
}

// cut returns the longest prefix of text with an ellipsis that has at most limit units.
func cut(text string, limit int, unit lengthUnit) string {
	if unit.size(text) <= limit {
		return text
	}
	const ellipsis = '…'
	rest := limit - unit(ellipsis)
	if rest < 0 {
		return ""
	}
	end := 0
	for i, r := range text {
		if rest -= unit(r); rest < 0 {
			break
		}
		end = i + utf8.RuneLen(r)
	}
	return strings.TrimSuffix(text[:wholeCharacters(text, end)], string(ellipsis)) + string(ellipsis)
}
