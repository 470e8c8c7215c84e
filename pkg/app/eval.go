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

package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/config"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/rehearsal"
	"github.com/kubevela/kube-trigger/pkg/sandbox"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// EvalCommand is the hidden subcommand that has to call ServeEval.
const EvalCommand = "eval-config"

// EvalOptions configure Eval.
type EvalOptions struct {
	// Config and ActionsDir are as for RunOptions.
	Config, ActionsDir string
	// Trigger selects one trigger by its name; all if it is empty.
	Trigger string
	// Event is a file, or - for Stdin: an event, an object, or the body of a request. Empty
	// for a Time.
	Event string
	Stdin io.Reader
	// Type is the type of the event of an object. Old is a file with its state before.
	Type, Old string
	// Headers are those of a request, "Name: value".
	Headers []string
	// Time is the time of a tick, in RFC 3339; empty for an Event.
	Time string
	// Objects are files of the objects that calls read.
	Objects []string
	// LiveReads has a cluster answer what Objects lack, and ServerDryRun has it try writes.
	LiveReads, ServerDryRun bool
	Cluster                 ClusterOptions
}

// evalRequest is what the child process evaluates.
type evalRequest struct {
	Config  configuration
	Trigger string
	Event   []byte
	// Old and Objects are files of objects.
	Old     config.Files
	Objects []config.Files
	Type    string
	Headers [][2]string
	Time    time.Time
	// Live is nil without a cluster.
	Live         *ClusterOptions
	ServerDryRun bool
}

// evalResult is its result.
type evalResult struct {
	Diagnostics diag.FileDiagnostics
	Evaluations []rehearsal.Evaluation
	// Invalid is what is wrong with the event or the objects.
	Invalid string
}

// Eval returns what the triggers of a configuration make of one event. Nothing is executed.
func Eval(ctx context.Context, o EvalOptions) ([]rehearsal.Evaluation, error) {
	r, err := o.request()
	if err != nil {
		return nil, err
	}
	var result evalResult
	if err := inChild(ctx, EvalCommand, r, &result); err != nil {
		return nil, err
	}
	switch {
	case len(result.Diagnostics) > 0:
		return nil, InvalidError{result.Diagnostics}
	case result.Invalid != "":
		return nil, InvalidError{errors.New(result.Invalid)}
	}
	return result.Evaluations, nil
}

// request reads the files.
func (o EvalOptions) request() (r evalRequest, err error) {
	if r.Config, err = readConfig(o.Config, o.ActionsDir); err != nil {
		return r, err
	}
	r.Trigger, r.Type = o.Trigger, o.Type
	if types := []string{event.Create, event.Update, event.Delete, event.Sync}; !slices.Contains(types, o.Type) {
		return r, InvalidError{fmt.Errorf("--type %q: must be one of %s%s", o.Type, strings.Join(types, ", "), diag.Suggest(o.Type, types))}
	}
	switch {
	case o.Event == "" && o.Time == "":
		return r, InvalidError{errors.New("no event; name a file with --event, or the time of a tick with --time")}
	case o.Event != "" && o.Time != "":
		return r, InvalidError{errors.New("--event and --time are two events; choose one")}
	case o.Time != "":
		if r.Time, err = time.Parse(time.RFC3339, o.Time); err != nil {
			return r, InvalidError{fmt.Errorf(`--time %q: must be a time such as 2026-11-29T02:00:00Z`, o.Time)}
		}
	case o.Event == StdinPath:
		r.Event, err = io.ReadAll(o.Stdin)
	default:
		r.Event, err = os.ReadFile(o.Event)
	}
	if err != nil {
		return r, InvalidError{fmt.Errorf("--event: %w", err)}
	}
	for _, h := range o.Headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			return r, InvalidError{fmt.Errorf(`--header %q: must be "Name: value"`, h)}
		}
		r.Headers = append(r.Headers, [2]string{strings.TrimSpace(name), strings.TrimSpace(value)})
	}
	if o.Old != "" {
		r.Old = config.Read(o.Old)
	}
	for _, file := range o.Objects {
		r.Objects = append(r.Objects, config.Read(file))
	}
	if o.LiveReads || o.ServerDryRun {
		r.Live, r.ServerDryRun = &o.Cluster, o.ServerDryRun
	}
	return r, nil
}

// parseObjects returns the objects in the files of a flag.
func parseObjects(flag string, files config.Files) ([]map[string]any, error) {
	var all []map[string]any
	for _, d := range files.Diagnostics {
		return nil, fmt.Errorf("%s: %s", flag, d)
	}
	for _, f := range files.List {
		objects, err := rehearsal.ParseObjects(f.Data)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", flag, f.Path, err)
		}
		all = append(all, objects...)
	}
	return all, nil
}

// ServeEval is the child process of Eval.
func ServeEval(ctx context.Context, in io.Reader, out io.Writer) error {
	return sandbox.Serve(in, out, func(r evalRequest, s *sandbox.Steps) (evalResult, error) { return r.evaluate(ctx, s.Begin) })
}

func (r evalRequest) evaluate(ctx context.Context, begin func(step string) (reason string)) (out evalResult, err error) {
	executors := &rehearsal.Executors{}
	compiled, err := r.Config.compile(clients{newExecutor: executors.New}, begin)
	if err != nil || len(compiled.diagnostics) > 0 {
		out.Diagnostics = compiled.diagnostics
		return out, err
	}
	o := rehearsal.Options{Executors: executors, Start: time.Now().UTC(), ServerDryRun: r.ServerDryRun}
	if !r.Time.IsZero() {
		o.Start = r.Time
	}
	for _, files := range r.Objects {
		objects, err := parseObjects("--objects", files)
		if err != nil {
			return evalResult{Invalid: err.Error()}, nil //nolint:nilerr // of the user's file
		}
		o.Objects = append(o.Objects, objects...)
	}
	if r.Live != nil {
		if o.Cluster, err = r.Live.newClient(); err != nil {
			return out, err
		}
	}
	var names []string
	for _, rule := range compiled.rules {
		names = append(names, rule.Name)
		if r.Trigger != "" && r.Trigger != rule.Name && r.Trigger != rule.String() {
			continue
		}
		reason := begin("evaluation of trigger " + rule.String())
		if reason != "" {
			out.Evaluations = append(out.Evaluations, rehearsal.Evaluation{Trigger: rule.String(), Place: placeOf(rule), Ignored: "its evaluation is ended: " + reason})
			continue
		}
		s, err := r.stimulus(o.Start)
		if err != nil {
			return evalResult{Invalid: err.Error()}, nil //nolint:nilerr // of the event
		}
		o.Triggers = []trigger.Compiled{rule.Compiled}
		e, err := rehearsal.Evaluate(ctx, o, s)
		if err != nil {
			return evalResult{Invalid: err.Error()}, nil //nolint:nilerr // of the event or the objects
		}
		e.Place = placeOf(rule)
		out.Evaluations = append(out.Evaluations, e)
	}
	if len(out.Evaluations) == 0 && r.Trigger != "" {
		out.Invalid = fmt.Sprintf("no trigger %q%s", r.Trigger, diag.Suggest(r.Trigger, names))
	}
	return out, nil
}

func placeOf(r rule) string { return fmt.Sprintf("%s:%d", r.place.File, r.place.Line) }

// stimulus returns what the event is made of, anew for each trigger.
func (r evalRequest) stimulus(now time.Time) (s rehearsal.Stimulus, err error) {
	if len(r.Event) == 0 && !r.Time.IsZero() {
		return rehearsal.Stimulus{Tick: r.Time}, nil
	}
	s, isBody := rehearsal.ParseStimulus(r.Event, r.Type, now)
	if isBody || len(r.Headers) > 0 {
		s = rehearsal.Stimulus{Body: r.Event}
		if s.Request, err = http.NewRequest(http.MethodPost, "/", bytes.NewReader(r.Event)); err != nil { //nolint:noctx // it is not sent
			return s, err
		}
		for _, h := range r.Headers {
			s.Request.Header.Add(h[0], h[1])
		}
		if r.Old.Path != "" {
			return s, errors.New("--old: the event is not an object with apiVersion, kind and metadata")
		}
		return s, nil
	}
	if r.Old.Path != "" {
		objects, err := parseObjects("--old", r.Old)
		if err == nil && len(objects) != 1 {
			err = fmt.Errorf("--old: %s: must have one object, not %d", r.Old.Path, len(objects))
		}
		if err != nil {
			return s, err
		}
		old := objects[0]
		switch {
		case s.Event != nil:
			return s, errors.New("--old: an event has its state before as old")
		case old["kind"] != s.Object["kind"]:
			return s, fmt.Errorf("--old: is a %v, and the event a %v", old["kind"], s.Object["kind"])
		}
		shareUID(old, s.Object)
		shareUID(s.Object, old)
		s.Old = old
	}
	return s, nil
}

// shareUID gives the object to the UID of from, if it has none: a manifest and the object in the
// cluster are one object.
func shareUID(from, to map[string]any) {
	uid, _, _ := unstructured.NestedString(from, "metadata", "uid")
	metadata, ok := to["metadata"].(map[string]any)
	if ok && uid != "" && metadata["uid"] == nil {
		metadata["uid"] = uid
	}
}

// newClient returns a client of the cluster.
func (o ClusterOptions) newClient() (client.Client, error) {
	cfg, _, err := o.restConfig()
	if err != nil {
		return nil, err
	}
	return client.New(cfg, client.Options{})
}
