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
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
)

// credentialFinder finds credentials in values that consist of several. The zero value is
// ready to use. It is not safe for concurrent use.
type credentialFinder struct{ named, userinfo, login *regexp.Regexp }

// find returns the credentials in text: the values of fields whose names say that they are
// credentials, in any notation (JSON, YAML, properties, connection strings), the passwords
// of URLs, as they are and unescaped, and the password of a text that is USER:PASSWORD.
func (f *credentialFinder) find(text string) []string {
	if f.named == nil {
		f.named = regexp.MustCompile(`(?i)(?:pass|pwd|secret|token|credential|api[-_]?key|auth)[\w.-]*["']?\s*[=:]\s*["']?([^\s"',;&]+)`)
		f.userinfo = regexp.MustCompile(`[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@"']*:([^\s/"']+)@`)
		f.login = regexp.MustCompile(`^[^\s:/]+:(\S*[^\s\d]\S*)$`) // no port
	}
	var all []string
	for _, m := range f.named.FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	for _, m := range f.userinfo.FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
		if password, err := url.PathUnescape(m[1]); err == nil {
			all = append(all, password)
		}
	}
	if m := f.login.FindStringSubmatch(text); m != nil && !strings.HasPrefix(m[1], "//") {
		all = append(all, m[1])
	}
	return all
}

// jsonObject returns text as decoded JSON if it is an object or a list, otherwise nil.
func jsonObject(text string) any {
	trimmed := strings.TrimSpace(text)
	if !strings.HasPrefix(trimmed, "{") && !strings.HasPrefix(trimmed, "[") {
		return nil
	}
	var document any
	if json.Unmarshal([]byte(trimmed), &document) != nil {
		return nil
	}
	return document
}
