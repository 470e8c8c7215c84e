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

package types

import (
	"fmt"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
)

// StandardLibrary returns the packages of CUE v0.14.1 that a filter may import: all
// but tool/*, which belong to the command line tool.
func StandardLibrary() []string {
	return []string{
		"crypto/ed25519", "crypto/hmac", "crypto/md5", "crypto/sha1", "crypto/sha256", "crypto/sha512",
		"encoding/base64", "encoding/csv", "encoding/hex", "encoding/json", "encoding/toml", "encoding/yaml",
		"html", "list", "math", "math/bits", "net", "path", "regexp", "strconv", "strings", "struct",
		"text/tabwriter", "text/template", "time", "uuid",
	}
}

// Functions returns the functions and constants of a package of the standard library.
func Functions(path string) []string {
	var names []string
	v := cuecontext.New().CompileString(fmt.Sprintf("import p %q\nx: p", path))
	fields, err := v.LookupPath(cue.MakePath(cue.Str("x"))).Fields(cue.All())
	for err == nil && fields.Next() {
		names = append(names, fields.Selector().String())
	}
	return names
}

// BoolFunctions returns the functions of a package of the standard library that
// return a boolean, or may return one.
func BoolFunctions(path string) []string {
	switch path {
	case "crypto/ed25519":
		return []string{"Valid"}
	case "encoding/json":
		return []string{"Valid", "Validate", "Unmarshal"}
	case "encoding/toml":
		return []string{"Unmarshal"}
	case "encoding/yaml":
		return []string{"Validate", "ValidatePartial", "Unmarshal"}
	case "list":
		return []string{"MinItems", "MaxItems", "UniqueItems", "Contains", "MatchN", "IsSorted", "IsSortedStrings"}
	case "math":
		return []string{"MultipleOf", "Signbit"}
	case "net":
		return []string{
			"FQDN", "IPv4", "IPv6", "IP", "IPCIDR", "LoopbackIP", "MulticastIP", "InterfaceLocalMulticastIP",
			"LinkLocalMulticastIP", "LinkLocalUnicastIP", "GlobalUnicastIP", "UnspecifiedIP", "URL", "AbsURL",
		}
	case "path":
		return []string{"Match", "IsAbs"}
	case "regexp":
		return []string{"Valid", "Match"}
	case "strconv":
		return []string{"ParseBool", "IsPrint", "IsGraphic"}
	case "strings":
		return []string{"MinRunes", "MaxRunes", "Contains", "ContainsAny", "HasPrefix", "HasSuffix"}
	case "struct":
		return []string{"MinFields", "MaxFields"}
	case "time":
		return []string{"Duration", "Time", "Format"}
	case "uuid":
		return []string{"Valid"}
	}
	return nil
}
