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

// Package expr analyses the CUE of filters and action templates before they are
// evaluated.
//
// For both, it applies the rules for values that an event lacks (rules), and finds the
// fields of context that CUE depends on (FieldSet), so that only those are handed to
// CUE. For filters, it parses and checks expressions (Expression), and makes a CUE file of
// each operand (Program), which package closure compiles; constraints become a Shape. For
// templates, it orders the calls (Schedule), checks Go templates in properties and executes
// them (GoText), and replaces names of fields that no part of a template looks at (Names).
//
// Errors have the line and column in the text, and never hold values of an event.
package expr
