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

package trigger

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/problem"
)

// Templates reads the action templates of a folder, every *.cue file of it; an
// action's type is its file's name without ".cue". Paths in the problems are
// the files' names. A broken template does not keep the others from being read.
func Templates(fsys fs.FS) (map[string]*action.Template, problem.List) {
	var list problem.List
	names, err := fs.Glob(fsys, "*.cue")
	if err != nil {
		list.Add("", "%v", err)
		return nil, list
	}
	templates := map[string]*action.Template{}
	for _, file := range names {
		source, err := fs.ReadFile(fsys, file)
		if err != nil {
			list.Add(file, "%v", err)
			continue
		}
		if len(source) > maxTemplate {
			list.Add(file, "is larger than %d KiB", maxTemplate>>10)
			continue
		}
		name := strings.TrimSuffix(path.Base(file), ".cue")
		template, problems := action.Parse(name, string(source))
		if len(problems) > 0 {
			for _, p := range problems {
				p.Path, p.Message = file, fmt.Sprintf("action %q: %s", name, p.Message)
				list = append(list, p)
			}
			continue
		}
		templates[name] = template
	}
	return templates, list
}

// maxTemplate bounds a template, in bytes.
const maxTemplate = 1 << 20
