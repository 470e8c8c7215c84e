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

// Package docs tests the commands, code blocks and references of the documents.
package docs

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"cuelang.org/go/cue/parser"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/actions"
	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/config"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/application"
	configsource "github.com/kubevela/kube-trigger/pkg/source/config"
	"github.com/kubevela/kube-trigger/pkg/source/cron"
	"github.com/kubevela/kube-trigger/pkg/source/k8sevent"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
	"github.com/kubevela/kube-trigger/pkg/source/velaql"
	"github.com/kubevela/kube-trigger/pkg/source/webhook"
	"github.com/kubevela/kube-trigger/pkg/trigger"
	"github.com/kubevela/kube-trigger/pkg/velaql/query"
	"github.com/kubevela/kube-trigger/pkg/velaql/view"
	"github.com/kubevela/kube-trigger/test/cluster"
)

const root = "../.."

// codeBlock is a fenced code block of a document.
type codeBlock struct{ file, language, text string }

// codeBlocks returns the code blocks of files, which are relative to root.
func codeBlocks(t *testing.T, files ...string) []codeBlock {
	t.Helper()
	fence := regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```")
	var out []codeBlock
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
			out = append(out, codeBlock{file, m[1], m[2]})
		}
	}
	return out
}

// documents returns the paths of all documents, relative to root.
func documents(t *testing.T) []string {
	t.Helper()
	files := []string{"README.md", "examples/README.md"}
	for _, pattern := range []string{"docs/*.md", "examples/*/README.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			rel, err := filepath.Rel(root, f)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, rel)
		}
	}
	if len(files) < 5 {
		t.Fatalf("documents: got %v, want at least 5", files)
	}
	return files
}

func sourcesByType() source.Registry {
	return source.Registry{
		application.Type:  application.New(resource.Options{}),
		configsource.Type: configsource.New(resource.Options{}),
		k8sevent.Type:     k8sevent.New(resource.Options{}),
		cron.Type:         cron.New(cron.Options{}),
		resource.Type:     resource.New(resource.Options{}),
		velaql.Type: velaql.New(velaql.Options{CompileView: func(_ event.TriggerRef, q query.Query) (velaql.View, diag.List) {
			return view.New(q, view.Options{})
		}}),
		webhook.Type: webhook.New(webhook.Options{}),
	}
}

// validate returns the diagnostics of a configuration, and of the folder actions beside it,
// as an error.
func validate(t *testing.T, file string) error {
	t.Helper()
	templates, err := trigger.BuiltIn(actions.FS)
	if err != nil {
		t.Fatal(err)
	}
	sources, problems := trigger.ReadTemplates(os.DirFS(filepath.Join(filepath.Dir(file), "actions")))
	own, more := trigger.ParseTemplates(sources, func(string) string { return "" })
	maps.Copy(templates, own)
	steps, _ := trigger.ReadTemplates(os.DirFS("testdata/steps"))
	own, stepProblems := trigger.ParseTemplates(steps, func(string) string { return "" })
	maps.Copy(templates, own)
	more = append(more, stepProblems...)
	c := trigger.Compiler{
		Sources:  sourcesByType(),
		Actions:  templates,
		Executor: func(event.TriggerRef) provider.Executor { return nil },
	}
	documents, diagnostics := config.Read(file).Load("default", func(string) string { return "" })
	for _, s := range documents.Services {
		for _, t := range trigger.CompileService(c, &s.TriggerService, func(int, string, string) string { return "" }) {
			diagnostics = append(diagnostics, s.Locate(t.Problems)...)
		}
	}
	if problems = append(problems, more...); len(problems) > 0 {
		return problems
	}
	if len(diagnostics) > 0 {
		return diagnostics
	}
	return nil
}

// TestDocuments_CodeBlocks checks the code blocks of all documents by their language. The
// action of the documents is called annotate. The triggers of docs/actions.md use it.
func TestDocuments_CodeBlocks(t *testing.T) {
	for _, b := range codeBlocks(t, documents(t)...) {
		if isAlerts(b.text) || isManifest(b.text) { // checked by TestOperations_Alerts and TestManifests
			continue
		}
		switch b.language {
		case "yaml":
			if isTests(b.text) { // run by TestTesting_Commands and TestCluster_Commands
				continue
			}
			file := filepath.Join(t.TempDir(), "config.yaml")
			writeFile(t, file, b.text)
			if b.file == actionsPage {
				writeFile(t, filepath.Join(filepath.Dir(file), "actions", "annotate.cue"), tutorial(t).action)
			}
			if err := validate(t, file); err != nil {
				t.Errorf("%s: %v\n%s", b.file, err, b.text)
			}
		case "cue":
			if !strings.Contains(b.text, "import ") {
				if _, err := parser.ParseFile(b.file, b.text); err != nil {
					t.Errorf("%s: %v", b.file, err)
				}
			} else if _, problems := action.Parse("annotate", b.text); len(problems) > 0 {
				t.Errorf("%s: %v", b.file, problems)
			}
		case "sh":
			for _, line := range lines(b.text) {
				if !isTested(line) {
					t.Errorf("%s: command %q is not tested", b.file, line)
				}
			}
		case "mermaid":
			checkDiagram(t, b)
		default:
			t.Errorf("%s: unknown language %q of a code block", b.file, b.language)
		}
	}
}

// checkDiagram checks that the nodes of a diagram are packages, or stages of the engine.
func checkDiagram(t *testing.T, b codeBlock) {
	t.Helper()
	stages, err := filepath.Glob(filepath.Join(root, "pkg/engine/*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var engine strings.Builder
	for _, file := range stages {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		engine.Write(text)
	}
	for _, m := range regexp.MustCompile(`\w+\[([\w/]+)\]`).FindAllStringSubmatch(b.text, -1) {
		if strings.Contains(engine.String(), "type "+m[1]+" struct") {
			continue
		}
		if _, err := os.Stat(filepath.Join(root, "pkg", m[1])); err != nil {
			t.Errorf("%s: got node %q, want a package or a stage of the engine", b.file, m[1])
		}
	}
}

// isTested reports whether a command is run by TestGettingStarted_Commands,
// TestOperations_Commands, TestTesting_Commands, TestRehearsing_Commands, TestCluster_Commands,
// TestKubeVela of test/vela or continuous integration.
func isTested(line string) bool {
	switch strings.TrimSpace(strings.SplitN(line, " #", 2)[0]) {
	case "make demo", "make test", "make bench", "make build":
		return true
	}
	pages := append(clusterPages(), "docs/getting-started.md", "docs/operations.md", testingPage, rehearsingPage, "docs/addon.md", "addon/README.md")
	for _, file := range pages {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err == nil && strings.Contains(string(text), line) {
			return true
		}
	}
	return false
}

// lines returns the lines of text that are not empty.
func lines(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
}

// TestExamples_Valid checks the configurations of the examples.
func TestExamples_Valid(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "examples/*/config.*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("examples: got %v, %v, want at least 1", files, err)
	}
	for _, f := range files {
		if err := validate(t, f); err != nil {
			t.Error(err)
		}
	}
}

// TestReadme_Example compares the first trigger of README.md with the example that the
// demo runs.
func TestReadme_Example(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "examples/bump-application/config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, want, _ := strings.Cut(string(text), "\n") // without the comment
	for _, b := range codeBlocks(t, "README.md") {
		if b.language == "yaml" && b.text != want {
			t.Errorf("README.md: got\n%s\nwant\n%s", b.text, want)
		}
	}
}

// TestTriggers_Complete checks that docs/triggers.md mentions all properties of
// resource-watcher and all flags of `kube-trigger run`.
func TestTriggers_Complete(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs/triggers.md"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	property := regexp.MustCompile(`(?m)^([a-zA-Z]+)\??:`)
	properties, err := os.ReadFile(filepath.Join(root, "pkg/source/resource/properties.cue"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range property.FindAllStringSubmatch(string(properties), -1) {
		names = append(names, "`"+m[1]+"`")
	}
	help := exec.Command("go", "run", "./cmd/kube-trigger", "run", "--help")
	help.Dir = root
	out, err := help.Output()
	if err != nil {
		t.Fatal(err)
	}
	flags := regexp.MustCompile(`(?m)^ +(?:-c, )?(--[a-z-]+)`)
	for _, m := range flags.FindAllStringSubmatch(string(out), -1) {
		if m[1] != "--help" {
			names = append(names, "`"+m[1]+"`")
		}
	}
	if len(names) < 20 {
		t.Fatalf("properties and flags: got %v, want at least 20", names)
	}
	for _, n := range names {
		if !strings.Contains(string(text), n) {
			t.Errorf("docs/triggers.md does not mention %s", n)
		}
	}
}

// TestTriggers_Fields checks that docs/triggers.md mentions all fields of a trigger, and that the
// example of "All fields" has all but actions and action.timeout.
func TestTriggers_Fields(t *testing.T) {
	const page = "docs/triggers.md"
	text := read(t, page)
	for _, kind := range []reflect.Type{
		reflect.TypeFor[v1alpha1.Trigger](), reflect.TypeFor[v1alpha1.ActionStep](), reflect.TypeFor[v1alpha1.Retry](),
		reflect.TypeFor[v1alpha1.Backoff](), reflect.TypeFor[v1alpha1.Grouping](), reflect.TypeFor[v1alpha1.RateLimit](),
	} {
		for i := range kind.NumField() {
			name, _, _ := strings.Cut(kind.Field(i).Tag.Get("json"), ",")
			if !regexp.MustCompile("`([a-zA-Z]+\\.)*" + name + "(\\.[a-zA-Z]+)*`").MatchString(text) {
				t.Errorf("%s does not mention the field %s of %s", page, name, kind.Name())
			}
		}
	}
	_, section, _ := strings.Cut(text, "\n## All fields\n")
	_, block, _ := strings.Cut(section, "```yaml\n")
	block, _, _ = strings.Cut(block, "```")
	var example struct{ Triggers []v1alpha1.Trigger }
	if err := yaml.UnmarshalStrict([]byte(block), &example); err != nil || len(example.Triggers) != 1 {
		t.Fatalf("%s: got %+v, %v, want one trigger", page, example, err)
	}
	for name, value := range reflect.ValueOf(example.Triggers[0]).Fields() {
		if value.IsZero() != (name.Name == "Actions") {
			t.Errorf("%s: the example of all fields has the field %s: %v", page, name.Name, !value.IsZero())
		}
	}
}

// TestGettingStarted_Commands runs the commands of docs/getting-started.md in a copy of
// the repository, and checks the publishVersion of the Application.
func TestGettingStarted_Commands(t *testing.T) {
	if _, err := exec.LookPath("kubectl"); err != nil {
		t.Skip("needs kubectl")
	}
	dir := copyTree(t)
	t.Cleanup(func() { shell(t, dir, "make cluster-down") })
	var out string
	for _, b := range codeBlocks(t, "docs/getting-started.md") {
		for _, line := range lines(b.text) {
			if strings.HasPrefix(line, "bin/kube-trigger run") {
				startTrigger(t, dir, line)
				continue
			}
			if strings.HasPrefix(line, "kubectl get application") {
				out = waitForOutput(t, dir, line, `"app.oam.dev/publishVersion":"2"`)
				continue
			}
			shell(t, dir, line)
		}
	}
	if out == "" {
		t.Error("docs/getting-started.md: got no command kubectl get application, want one")
	}
}

// copyTree copies the working tree, without ignored files, and returns the copy.
func copyTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	shell(t, root, "git ls-files -z --cached --others --exclude-standard --deduplicate | "+
		"xargs -0 sh -c 'for f; do test -e \"$f\" && echo \"$f\"; done' sh | tar -cf - -T - | tar -xf - -C "+dir)
	return dir
}

// workspace returns a directory with files, the kubeconfig of c and bin/kube-trigger.
func workspace(t *testing.T, c *cluster.Cluster, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	kubeconfig, err := os.ReadFile(c.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, ".cluster/kubeconfig"), string(kubeconfig))
	for name, text := range files {
		writeFile(t, filepath.Join(dir, name), text)
	}
	shell(t, root, "go build -o "+filepath.Join(dir, "bin", "kube-trigger")+" ./cmd/kube-trigger")
	return dir
}

// writeFile writes a file, and makes its directory.
func writeFile(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// waitTimeout is the maximum time of a command. `make build cluster` builds a control
// plane if none is cached.
const waitTimeout = 10 * time.Minute

func command(ctx context.Context, dir, line string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "bash", "-c", line)
	cmd.Dir = dir
	// KUBECONFIG is exported in the document.
	cmd.Env = append(os.Environ(), "KUBECONFIG="+filepath.Join(dir, ".cluster/kubeconfig"), "XDG_STATE_HOME="+dir)
	return cmd
}

// shell runs a command in dir and returns its output. A command that fails ends the test.
func shell(t *testing.T, dir, line string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waitTimeout)
	defer cancel()
	out, err := command(ctx, dir, line).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return string(out)
}

// waitForOutput runs a command until its output contains want, and returns the output.
func waitForOutput(t *testing.T, dir, line, want string) string {
	t.Helper()
	deadline := time.Now().Add(waitTimeout)
	for {
		out := shell(t, dir, line)
		if strings.Contains(out, want) {
			return out
		}
		if time.Now().After(deadline) {
			t.Fatalf("wait for output of %s: got %s, want %s", line, out, want)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// startTrigger runs kube-trigger until the test ends, and waits until it watches. On
// SIGTERM kube-trigger must exit with 0.
func startTrigger(t *testing.T, dir, line string) {
	t.Helper()
	cmd := command(context.Background(), dir, "exec "+line)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	watching := make(chan bool, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		scanner := bufio.NewScanner(io.TeeReader(stderr, &log))
		for scanner.Scan() {
			if strings.Contains(scanner.Text(), "msg=watching") {
				watching <- true
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v\n%s", line, err, log.String())
		}
	})
	select {
	case <-watching:
	case <-ended:
		t.Fatalf("wait for msg=watching: %s ended\n%s", line, log.String())
	case <-time.After(waitTimeout):
		t.Fatalf("wait for msg=watching: %s: timed out", line)
	}
}
