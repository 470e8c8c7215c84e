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

// Package name shortens names to the limits of the API server.
package name

import (
	"crypto/sha256"
	"encoding/hex"
)

// Shorten returns name if it has at most limit bytes. Otherwise it replaces the end
// of name by suffix, which has to identify the name, so that the result has limit
// bytes.
func Shorten(name string, limit int, suffix string) string {
	if len(name) <= limit {
		return name
	}
	return Append(name, limit, suffix)
}

// Append returns name with suffix. It cuts the end of name where the result would
// have more than limit bytes.
func Append(name string, limit int, suffix string) string {
	return name[:min(len(name), limit-len(suffix))] + suffix
}

// Hash returns the first hexadecimal digits of the SHA-256 of name.
func Hash(name string, digits int) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])[:digits]
}
